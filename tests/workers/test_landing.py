"""People ask what shall become of a branch; the node that has it carries that out, once, and says how it went."""

from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction

from tests.support import make
from tests.support.driving import Pool, driven, now
from tests.support.repository import commit, git, repository
from tests.support.wait import until
from workers import branches, driving, landing, maintenance
from workers.errors import StaleTransition
from workers.models import Event, Landing, Worker, accept
from workers.states import LandingKind

ON_SQLITE = "sqlite" in settings.DATABASES["default"]["ENGINE"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher")]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


@pytest.fixture
def worker(source: Path) -> Worker:
    """One that has ended, with a commit on its branch."""
    return driven(make.worker("echo two > a.txt", project=make.project(source, isolation="worktree")))


def asked(worker: Worker, kind: LandingKind = LandingKind.MERGE) -> Landing:
    """The landing, after the node has had its turn."""
    wish = Landing.ask(worker, kind, by="mira")
    landing.carry_out(wish.pk)
    return Landing.objects.get(pk=wish.pk)


def test_a_merge_moves_the_base_and_says_so(worker: Worker, source: Path) -> None:
    done = asked(worker)
    assert (done.error, done.commit, done.asked_by) == ("", git(source, "rev-parse", "main"), "mira")
    assert (source / "a.txt").read_text() == "two\n"
    told = list(Event.objects.filter(worker_id=worker.pk, data__has_key="landing").values_list("data", flat=True))
    assert told == [{"landing": "merge", "by": "mira"}, {"landing": "merge", "failed": False}]


def test_a_merge_that_conflicts_can_be_asked_for_again(worker: Worker, source: Path) -> None:
    mine = commit(source, a="three\n")
    landing = asked(worker)
    assert landing.complaint == "The branch conflicts with its base in 1 file."
    assert landing.conflicts == [("a.txt", "both changed the same lines")]
    assert git(source, "rev-parse", "main") == mine
    git(source, "reset", "--quiet", "--hard", "HEAD~1")
    assert asked(worker).error == ""


def test_a_discard_leaves_nothing_to_merge(worker: Worker, source: Path) -> None:
    assert asked(worker, LandingKind.DISCARD).error == ""
    assert not Path(worker.workspace).exists()
    with pytest.raises(StaleTransition, match="was discarded"):
        Landing.ask(worker, LandingKind.MERGE, by="mira")


def test_asking_twice_is_asking_once(worker: Worker) -> None:
    first, second = (Landing.ask(worker, LandingKind.MERGE, by="mira") for _ in range(2))
    assert first == second
    for _ in range(2):
        landing.carry_out(first.pk)
    assert Landing.objects.get().done_at is not None


def test_what_still_works_has_none_or_goes_on_elsewhere_cannot_land(worker: Worker, source: Path) -> None:
    active = make.worker("true", project=worker.project)
    plain = driven(make.worker("true", project=make.project(source)))
    assert worker.spec is not None
    accept(worker.spec, slot=make.free_slot(), node=worker.node, by="mira", continues=worker)
    Worker.objects.filter(pk=active.pk).update(branch="spec/x-1")
    for one, why in ((active, "still works"), (plain, "has no branch"), (worker, "has continued")):
        with pytest.raises(StaleTransition, match=why):
            Landing.ask(one, LandingKind.MERGE, by="mira")
    assert not Landing.objects.exists()


@pytest.mark.usefixtures("owned")
def test_a_wish_whose_message_was_lost_is_carried_out_by_its_node_alone(worker: Worker, source: Path) -> None:
    Landing.ask(worker, LandingKind.MERGE, by="mira")
    assert landing.pending(make.node("other-node")) == []
    node = maintenance.register("test-node")
    assert landing.pending(node) == [Landing.objects.get().pk]
    for landing_id in landing.pending(node) * 3:
        driving.land(landing_id)
    until(lambda: Landing.objects.get().done_at, what="it is merged")
    assert (source / "a.txt").read_text() == "two\n"
    assert now(worker).status == "completed"


def test_who_continues_what_was_discarded_begins_anew(source: Path) -> None:
    place = make.project(source, isolation="worktree")
    failed = driven(make.worker("echo two > a.txt", "exit 1", project=place, max_attempts=1))
    assert asked(failed, LandingKind.DISCARD).error == ""
    assert failed.spec is not None
    again = accept(failed.spec, slot=make.free_slot(), node=failed.node, by="mira", continues=failed)
    assert (again.workspace, again.branch, again.passed) == ("", "", 0)
    assert driven(again).passed == 1
    assert Path(now(again).workspace).exists()


@pytest.mark.skipif(ON_SQLITE, reason="on SQLite, transactions that write follow one another anyway")
def test_who_continues_at_the_moment_of_a_discard_begins_anew(source: Path) -> None:
    """The one who discards has looked, and not committed yet."""
    failed = driven(make.worker("exit 1", project=make.project(source, isolation="worktree"), max_attempts=1))
    assert failed.spec is not None
    slot, fields = make.free_slot(), {"node": failed.node, "by": "mira", "continues": failed}
    with Pool(1) as pool:
        with transaction.atomic():
            Landing.ask(failed, LandingKind.DISCARD, by="mira")
            again = pool.submit(accept, failed.spec, slot, **fields)
            until(lambda: again.done() or waits_for_a_lock(), what="the other one waits")
        found = again.result(10)
    assert (found.workspace, found.branch) == ("", "")


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_a_defect_ends_the_try_and_says_so(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*arguments: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr(branches, "merge", defect)
    assert asked(worker).error.startswith("A defect in Specyard")
    assert landing.pending(worker.node) == []
