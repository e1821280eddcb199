"""What has ended is counted once, whoever asks when, and never goes down."""

from decimal import Decimal
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support import make
from tests.support.driving import claimed
from workers import maintenance
from workers.models import Attempt, Event, Node, Totals, Worker, latest_seq, totals
from workers.states import AttemptStatus, ChunkOutcome, Reason

pytestmark = pytest.mark.django_db

FAILED = ("workers", "failed", "chunk_failed")
STOPPED = ("workers", "stopped", "stopped")


def end_some() -> None:
    """Two workers fail, one is stopped before it was claimed."""
    for _ in range(2):
        claimed().fail(Reason.CHUNK_FAILED, "It broke.")
    make.worker().request_stop("mira")


def agents_attempt(profile: str, tokens: int, cost: str) -> Attempt:
    worker = make.agents_worker()
    attempt = Attempt.open(worker, worker.chunks.get())
    attempt.with_profile(worker, profile)
    attempt.used(worker, tokens, tokens * 2, Decimal(cost), cached_read=7)
    attempt.close(worker, AttemptStatus.PASSED, ChunkOutcome.PASSED)
    return attempt


def test_workers_are_counted_by_status_and_reason() -> None:
    end_some()
    assert Totals.now() == {FAILED: 2, STOPPED: 1}


def test_attempts_and_what_agents_used_are_counted_when_the_attempt_ends() -> None:
    for tokens, cost in ((100, "0.0123"), (20, "1.5")):
        agents_attempt("opencode", tokens, cost)
    worker = claimed()
    Attempt.open(worker, worker.chunks.get()).close(worker, AttemptStatus.FAILED, ChunkOutcome.FAILED)
    assert Totals.now() == {
        ("attempts", "passed"): 2,
        ("attempts", "failed"): 1,
        ("tokens_in", "opencode"): 120,
        ("tokens_out", "opencode"): 240,
        ("cost", "opencode"): 15123,
        ("cached_read", "opencode"): 14,
    }


def test_folding_changes_nothing_for_who_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "COUNTED_AT_ONCE", 3)
    end_some()
    agents_attempt("opencode", 100, "0.5")
    before = Totals.now()
    folds = 0
    while Totals.fold():
        folds += 1
        assert Totals.now() == before
    assert folds > 2
    assert Totals.objects.get().seq == latest_seq()
    end_some()
    assert Totals.now()[FAILED] == 4


def test_of_two_that_fold_at_once_one_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    end_some()
    count, second = totals.count, []

    def while_another_folds(since: int, until: int | None = None) -> totals.Counts:
        monkeypatch.setattr(totals, "count", count)
        second.append(Totals.fold())
        return count(since, until)

    monkeypatch.setattr(totals, "count", while_another_folds)
    assert Totals.fold() is False
    assert second == [True]
    assert Totals.now() == {FAILED: 2, STOPPED: 1}


def test_totals_outlive_workers_and_events(owned: object) -> None:
    end_some()
    maintenance.Caretaker("test-node").run_once()
    Event.objects.all().delete()
    Worker.objects.all().delete()
    assert Totals.now() == {FAILED: 2, STOPPED: 1}


def test_reading_takes_two_queries_however_much_has_ended() -> None:
    Totals.fold()
    Totals.now()
    for _ in range(2):
        end_some()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            Totals.now()
        assert len(queries) == 2


def test_the_migration_counts_what_had_ended_before_it() -> None:
    end_some()
    agents_attempt("opencode", 100, "0.0123")
    wanted = Totals.now()
    Totals.objects.all().delete()
    import_module("workers.migrations.0007_canary_and_totals").count_what_has_ended(apps, None)
    assert Totals.objects.get().seq == latest_seq()
    assert Totals.now() == wanted


def test_a_heartbeat_writes_when_a_message_has_arrived(node: Node) -> None:
    assert Node.without_canary().get() == node
    node.heartbeat(0.5, 40.0)
    assert Node.without_canary().exists()
    node.heartbeat(0.5, 40.0, canary=True)
    assert not Node.without_canary().exists()
