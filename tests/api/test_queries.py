"""No list asks the database more, however long its page is."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard import tokens
from dashboard.access import OPERATORS
from dashboard.models import Webhook
from dashboard.webhooks import verbs
from queue_app import dispatch
from specs.models import AgentProfile, Project
from specs.secrets import change_secrets
from tests.api.conftest import caller
from tests.api.walking import Operation, operations
from tests.support import make
from workers.models import Artifact, Attempt, Message, Node, Worker
from workers.models.artifact import TestReport

pytestmark = pytest.mark.django_db
MOST = 15  # queries of a page, with those for the session
LISTED = [one for one in operations() if one.method == "get" and one.name.startswith("list_")]
NOT_TRIED = {"list_changes", "list_worker_chunks", "list_spec_chunks"}  # of git; as long as the spec is


@dataclass
class World:
    """What lists are about."""

    admin: User
    worker: Worker
    attempt: Attempt
    project: Project
    profile: AgentProfile
    webhook: Webhook
    made: int = 0

    def grow(self) -> None:
        """One more of everything that can be listed."""
        self.made += 1
        number = self.made
        make.node(f"node-{number}")
        over = make.worker()
        Worker.objects.filter(pk=over.pk).update(status="completed", slot=None, completed_at=timezone.now())
        dispatch.enqueue(make.spec(project=self.project), by="mira")
        make.profile(name=f"agent-{number}", secrets={"KEY": "some-value"})
        make.project(secrets={"KEY": "some-value"})
        for owner in (self.project, self.profile):
            change_secrets(owner, {f"KEY_{number}": "some-value"})
        User.objects.create_user(f"person-{number}").groups.add(Group.objects.get_or_create(name=OPERATORS)[0])
        tokens.create(self.admin, f"token {number}", "read")
        verbs.create("http://127.0.0.1:9/", by="ada")
        verbs.try_out(self.webhook)
        self.worker.landings.create(kind="merge", asked_by="mira", done_at=timezone.now())
        Message.objects.create(worker=self.worker, text="Use tabs", by="mira")
        self._try(number)

    def _try(self, number: int) -> None:
        facts = {"incarnation": 1, "started_at": timezone.now(), "finished_at": timezone.now()}
        Attempt.objects.create(chunk=self.attempt.chunk, number=10 + number, status="failed", **facts)
        make.question(self.worker, "blocked")
        artifact = Artifact.objects.create(attempt=self.attempt, path=f"out/{number}.xml", size=1, sha256="0" * 64)
        TestReport.objects.create(artifact=artifact, tests=1, failures=0, errors=0, skipped=0, seconds=1.0)


@pytest.fixture
def world(admin: Client, node: Node) -> World:
    """A worker with a branch and a running attempt."""
    dispatch.pause_queue("mira")
    accepted = make.worker()
    worker = Worker.claim(accepted.pk, accepted.epoch)
    assert worker is not None
    Worker.objects.filter(pk=worker.pk).update(branch="specyard/1")
    worker.refresh_from_db()
    attempt = Attempt.open(worker, worker.chunks.get())
    webhook, _ = verbs.create("http://127.0.0.1:9/", by="ada")
    user = User.objects.get(username="ada")
    found = World(user, worker, attempt, make.project(), make.profile(name="own", secrets={"KEY": "a-value"}), webhook)
    found.grow()
    return found


def address(one: Operation, world: World) -> str:
    of: dict[str, Callable[[], int]] = {
        "workers": lambda: world.worker.pk,
        "attempts": lambda: world.attempt.pk,
        "projects": lambda: world.project.pk,
        "profiles": lambda: world.profile.pk,
        "webhooks": lambda: world.webhook.pk,
        "specs": lambda: world.worker.spec_id or 0,
    }
    kind = one.path.split("/")[2]
    return one.at(of[kind]()) if "{" in one.path else one.at()


@pytest.mark.parametrize("one", [one for one in LISTED if one.name not in NOT_TRIED], ids=str)
def test_a_longer_list_asks_no_more(admin: Client, world: World, one: Operation) -> None:
    call, path = caller(admin), address(one, world)

    def queries() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as captured:
            reply = call("get", path)
        assert reply.status_code == 200, reply.content
        content = reply.json()
        return len(captured), len(content if isinstance(content, list) else content["items"])

    queries()
    few, short = queries()
    for _ in range(4):
        world.grow()
    asked, long = queries()
    assert asked == few <= MOST
    assert long > short
