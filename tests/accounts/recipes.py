"""How to make every address act: what has to be there, and what is sent.

A new address that changes something needs a line here, or in EXCEPTIONS with the reason why nothing is recorded.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from dashboard import signin, tokens
from dashboard.models import Webhook
from dashboard.webhooks import verbs as webhooks
from queue_app import dispatch
from queue_app.models import WorkerQueue, Yard
from specs.models import AgentProfile, Project, Spec
from tests.accounts.conftest import account
from tests.support import make
from tests.support.repository import git, repository
from workers.models import Worker
from workers.states import Reason, WorkerStatus

PROFILE = {
    "name": "mine",
    "title": "Mine",
    "command": "agent",
    "permission": "ask",
    "handshake_seconds": "1m",
    "silence_seconds": "10m",
    "wall_seconds": "30m",
}
YAML = 'title: Another\nchunks:\n  - title: One\n    params: {run: "true"}\n'
SPEC = {"title": "Another", "chunks": [{"key": "one", "title": "One", "params": {"run": "true"}}]}


@dataclass
class World:
    """Makes what an address needs."""

    folder: Path
    me: User

    def worker(self) -> Worker:
        """One that runs."""
        made = make.worker("true")
        claimed = Worker.claim(made.pk, made.epoch)
        assert claimed is not None
        return claimed

    def paused(self) -> Worker:
        """One that somebody wants to pause."""
        worker = self.worker()
        worker.request_pause("somebody")
        return worker

    def failed(self) -> Worker:
        worker = self.worker()
        worker.fail(Reason.CHUNK_FAILED, "no")
        return worker

    def branched(self) -> Worker:
        """One that has ended and has a branch."""
        source = repository(self.folder / "source")
        worker = make.worker("true", project=make.project(source, isolation="worktree"))
        Worker.objects.filter(pk=worker.pk).update(
            status=WorkerStatus.COMPLETED,
            slot=None,
            completed_at=timezone.now(),
            branch="main",
            base_commit=git(source, "rev-parse", "HEAD"),
            workspace=str(source),
        )
        return worker

    def entry(self, priority: int = 0) -> WorkerQueue:
        """An entry that cannot start."""
        Yard.current()
        Yard.objects.update(paused=True)
        made = dispatch.enqueue(make.spec("true"), by="somebody", priority=priority)
        assert isinstance(made, WorkerQueue)
        return made

    def spec(self) -> Spec:
        return make.spec("true")

    def project(self) -> Project:
        return make.project(self.folder)

    def profile(self) -> AgentProfile:
        return make.profile()

    def webhook(self, *, active: bool = True) -> Webhook:
        made, _ = webhooks.create("http://127.0.0.1:9/")
        if not active:
            webhooks.change(made, active=False)
        return made

    def account(self, **fields: Any) -> User:
        return account("somebody", "viewer", **fields)

    def project_form(self, project: Project | None = None) -> dict[str, Any]:
        name = project.name if project else "new"
        return {"name": name, "directory": str(self.folder), "isolation": "copy", "default_executor": "command"} | {
            "setup_command": "make"
        }

    def folder_of_specs(self) -> dict[str, str]:
        (self.folder / ".specyard").mkdir()
        (self.folder / ".specyard" / "one.yaml").write_text(YAML)
        return {"path": str(self.folder)}


@dataclass
class Call:
    """What is sent where."""

    arguments: list[Any] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)


def on(row: Any, **data: Any) -> Call:
    return Call([row.pk], data)


def _moved(world: World) -> Call:
    world.entry()
    return on(world.entry(), place="top")


def _profile_changed(world: World) -> Call:
    profile = world.profile()
    return on(profile, **PROFILE | {"name": profile.name})


def _queue_paused(world: World) -> Call:
    world.entry()
    return Call()


def _spec_edited(world: World) -> Call:
    return on(world.spec(), text=YAML)


def _workers_paused(world: World) -> Call:
    world.paused()
    return Call()


def _workers(world: World) -> Call:
    world.worker()
    return Call()


def _said(world: World) -> Call:
    worker = make.agents_worker()
    make.question(worker)
    Worker.objects.filter(pk=worker.pk).update(current=1)
    return on(worker, text="Go on")


def _drained(world: World) -> Call:
    node = make.node("another")
    node.request_drain("somebody")
    return on(node)


def _redelivered(world: World) -> Call:
    return on(webhooks.try_out(world.webhook()))


Recipe = Callable[[World], Call]
PAGES: dict[tuple[str, str], Recipe] = {
    ("POST", "workers-pause"): _workers,
    ("POST", "workers-resume"): _workers_paused,
    ("POST", "workers-stop"): _workers,
    ("POST", "worker-pause"): lambda world: on(world.worker()),
    ("DELETE", "worker-pause"): lambda world: on(world.paused()),
    ("POST", "worker-resume"): lambda world: on(world.paused()),
    ("POST", "worker-stop"): lambda world: on(world.worker()),
    ("DELETE", "worker"): lambda world: on(world.worker()),
    ("POST", "worker-requeue"): lambda world: on(world.worker()),
    ("POST", "worker-retry"): lambda world: on(world.failed()),
    ("POST", "worker-merge"): lambda world: on(world.branched()),
    ("POST", "worker-discard"): lambda world: on(world.branched()),
    ("POST", "worker-messages"): _said,
    ("POST", "question-answer"): lambda world: on(make.question(), option="once"),
    ("POST", "queue"): lambda world: Call([], {"spec": world.spec().pk}),
    ("POST", "queue-pause"): lambda world: Call(),
    ("POST", "queue-resume"): _queue_paused,
    ("POST", "queue-limit"): lambda world: Call([], {"limit": 17}),
    ("POST", "queue-restore"): lambda world: Call([], {"spec": world.spec().pk}),
    ("DELETE", "queue-entry"): lambda world: on(world.entry()),
    ("POST", "queue-move"): _moved,
    ("POST", "queue-priority"): lambda world: on(world.entry(), priority="7"),
    ("DELETE", "spec"): lambda world: on(world.spec()),
    ("POST", "spec-new"): lambda world: Call([], {"project": world.project().name, "key": "one", "text": YAML}),
    ("POST", "spec-edit"): _spec_edited,
    ("POST", "spec-run"): lambda world: on(world.spec()),
    ("POST", "spec-run-in-background"): lambda world: on(world.spec()),
    ("POST", "project-new"): lambda world: Call([], world.project_form()),
    ("POST", "project-import"): lambda world: Call([], world.folder_of_specs()),
    ("POST", "project"): lambda world: on(project := world.project(), **world.project_form(project)),
    ("DELETE", "project"): lambda world: on(world.project()),
    ("POST", "profile-new"): lambda world: Call([], PROFILE),
    ("POST", "profile"): _profile_changed,
    ("DELETE", "profile"): lambda world: on(world.profile()),
    ("POST", "project-secrets"): lambda world: on(world.project(), name="KEY", value="some-value"),
    ("POST", "profile-secrets"): lambda world: on(world.profile(), name="KEY", value="some-value"),
    ("DELETE", "project-secret"): lambda world: Call([make.project(secrets={"KEY": "some-value"}).pk, "KEY"]),
    ("DELETE", "profile-secret"): lambda world: Call([world.profile().pk, "API_KEY"]),
    ("POST", "demo"): lambda world: Call(),
    ("POST", "account-password"): lambda world: Call([], {"password": "another good one 7"}),
    ("POST", "account-tokens"): lambda world: Call([], {"name": "one", "scope": "read", "expires_in_days": "7"}),
    ("POST", "token-revoke"): lambda world: on(tokens.create(world.me, "one", "read")[0]),
    ("DELETE", "token-revoke"): lambda world: on(tokens.create(world.me, "one", "read")[0]),
    ("POST", "accounts"): lambda world: Call([], {"name": "new", "role": "viewer"}),
    ("POST", "account-role"): lambda world: on(world.account(), role="operator"),
    ("POST", "account-set-password"): lambda world: on(world.account(), password="another good one 7"),
    ("POST", "account-link"): lambda world: on(world.account()),
    ("POST", "account-deactivate"): lambda world: on(world.account()),
    ("POST", "account-activate"): lambda world: on(world.account(is_active=False)),
    ("POST", "webhooks"): lambda world: Call([], {"url": "http://127.0.0.1:9/", "kinds": ["worker_failed"]}),
    ("POST", "webhook-test"): lambda world: on(world.webhook()),
    ("POST", "webhook-active"): lambda world: on(world.webhook(active=False)),
    ("DELETE", "webhook-active"): lambda world: on(world.webhook()),
    ("POST", "webhook-rotate"): lambda world: on(world.webhook()),
    ("POST", "webhook-delete"): lambda world: on(world.webhook()),
    ("POST", "webhook-redeliver"): _redelivered,
    ("POST", "sign-in-link"): lambda world: Call([signin.create_link(world.me).removeprefix(signin.PATH)]),
    ("POST", "sign-out"): lambda world: Call(),
    ("POST", "sign-in"): lambda world: Call([], {"username": "nobody", "password": "wrong"}),
}
API: dict[tuple[str, str], Recipe] = {
    ("POST", "create_worker"): lambda world: Call([], {"spec": world.spec().pk}),
    ("POST", "act_on_workers"): lambda world: Call([], {"action": "stop", "ids": [world.worker().pk]}),
    ("DELETE", "delete_worker"): lambda world: on(world.worker()),
    ("POST", "pause_worker"): lambda world: on(world.worker()),
    ("POST", "resume_worker"): lambda world: on(world.paused()),
    ("POST", "stop_worker"): lambda world: on(world.worker()),
    ("POST", "requeue_worker"): lambda world: on(world.worker()),
    ("POST", "retry_worker"): lambda world: on(world.failed()),
    ("POST", "answer_question"): lambda world: on(make.question(), option="once"),
    ("POST", "send_message"): _said,
    ("POST", "merge"): lambda world: on(world.branched()),
    ("POST", "discard"): lambda world: on(world.branched()),
    ("POST", "create_entry"): lambda world: Call([], {"spec": world.spec().pk}),
    ("POST", "reorder_queue"): lambda world: Call(
        [], {"entry": world.entry().pk, "before": world.entry(priority=1).pk}
    ),
    ("POST", "act_on_entries"): lambda world: Call([], {"action": "remove", "ids": [world.entry().pk]}),
    ("POST", "pause_queue"): lambda world: Call(),
    ("POST", "resume_queue"): _queue_paused,
    ("PATCH", "update_entry"): lambda world: on(world.entry(), priority=7),
    ("DELETE", "delete_entry"): lambda world: on(world.entry()),
    ("PATCH", "update_settings"): lambda world: Call([], {"limit": 17}),
    ("PUT", "set_project_secret"): lambda world: Call([world.project().pk, "KEY"], {"value": "some-value"}),
    ("PUT", "set_profile_secret"): lambda world: Call([world.profile().pk, "KEY"], {"value": "some-value"}),
    ("DELETE", "delete_project_secret"): lambda world: Call([make.project(secrets={"KEY": "some-value"}).pk, "KEY"]),
    ("DELETE", "delete_profile_secret"): lambda world: Call([world.profile().pk, "API_KEY"]),
    ("POST", "create_spec"): lambda world: Call([], {"project": world.project().pk, **SPEC}),
    ("POST", "import_spec"): lambda world: Call([], {"project": world.project().pk, "text": YAML}),
    ("PUT", "replace_spec"): lambda world: on(world.spec(), **SPEC),
    ("PATCH", "update_spec"): lambda world: on(world.spec(), title="Another"),
    ("DELETE", "delete_spec"): lambda world: on(world.spec()),
    ("POST", "create_project"): lambda world: Call([], {"name": "new", "directory": str(world.folder)}),
    ("PATCH", "update_project"): lambda world: on(world.project(), setup_command="make"),
    ("DELETE", "delete_project"): lambda world: on(world.project()),
    ("POST", "create_profile"): lambda world: Call([], {"name": "new", "title": "New", "command": "agent"}),
    ("PATCH", "update_profile"): lambda world: on(world.profile(), title="Another"),
    ("DELETE", "delete_profile"): lambda world: on(world.profile()),
    ("POST", "drain_node"): lambda world: on(make.node("another")),
    ("POST", "resume_node"): _drained,
    ("POST", "create_webhook"): lambda world: Call([], {"url": "http://127.0.0.1:9/"}),
    ("PATCH", "update_webhook"): lambda world: on(world.webhook(), active=False),
    ("DELETE", "delete_webhook"): lambda world: on(world.webhook()),
    ("POST", "rotate_webhook_secret"): lambda world: Call([world.webhook().pk], {}),
    ("POST", "send_webhook_test"): lambda world: on(world.webhook()),
    ("POST", "redeliver"): _redelivered,
    ("POST", "import_folder"): lambda world: Call([], world.folder_of_specs()),
    ("POST", "create_demo"): lambda world: Call(),
    ("POST", "create_account"): lambda world: Call([], {"name": "new"}),
    ("PATCH", "update_account"): lambda world: on(world.account(), role="operator"),
    ("PUT", "set_account_password"): lambda world: on(world.account(), password="another good one 7"),
    ("POST", "create_sign_in_link"): lambda world: on(world.account()),
    ("PUT", "set_own_password"): lambda world: Call([], {"password": "another good one 7"}),
    ("POST", "create_token"): lambda world: Call([], {"name": "one"}),
    ("DELETE", "revoke_token"): lambda world: on(tokens.create(world.me, "one", "read")[0]),
}
# (method, name of the address or operation): why nothing is recorded.
EXCEPTIONS: dict[tuple[str, str], str] = {}
