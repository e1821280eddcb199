"""`/healthz` of the process alone, `/readyz` of everything that work needs, within 3 s whatever hangs."""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone

from dashboard import health, probing, tokens
from dashboard.cli.serve import CLOSE_SECONDS
from dashboard.models import Failures
from tests.health.serving import PATIENCE, Served, silent_server
from tests.health.test_metrics import STRANGER
from tests.support import make
from tests.support.driving import Pool
from tests.support.postgres import Untouchable, server
from tests.support.valkey import Valkey
from tests.support.wait import until
from workers.models import Node
from workers.states import NodeStatus

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 3.0  # seconds


@pytest.fixture
def proven(db: None) -> Node:
    """A node whose Celery has just taken a message."""
    return make.node(canary_at=timezone.now())


def look(client: Client, status: int, **how: str) -> dict[str, dict[str, object]]:
    reply = client.get("/readyz", **how)
    content = json.loads(reply.content)
    assert reply.status_code == status, content
    assert content["ready"] is (status == 200)
    assert reply["Cache-Control"] == "no-store"
    return content["checks"]


def failing(checks: dict[str, dict[str, object]]) -> set[str]:
    return {name for name, check in checks.items() if not check["ok"]}


def test_everything_is_there(local: Client, valkey: Valkey, proven: Node) -> None:
    checks = look(local, 200)
    assert set(checks) == {"database", "migrations", "redis", "nodes"}
    assert checks["nodes"] == {"ok": True, "detail": "1 of 1 take messages."}


def test_healthz_asks_nobody(client: Client, django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        reply = client.get("/healthz", REMOTE_ADDR=STRANGER)
    assert (reply.status_code, reply.content) == (200, b"ok")
    assert client.post("/healthz").status_code == 405


def test_strangers_hear_which_checks_failed_and_no_more(client: Client, valkey: Valkey) -> None:
    make.node("secret-name", canary_at=None)
    checks = look(client, 503, REMOTE_ADDR=STRANGER)
    assert failing(checks) == {"nodes"}
    assert all(set(check) == {"ok"} for check in checks.values())


def test_who_has_signed_in_hears_why(viewer: Client, valkey: Valkey) -> None:
    make.node("first-node", canary_at=None)
    assert "first-node" in look(viewer, 503, REMOTE_ADDR=STRANGER)["nodes"]["detail"]


def test_a_token_hears_why_and_one_that_does_not_work_is_a_stranger(
    client: Client, valkey: Valkey, proven: Node
) -> None:
    _, secret = tokens.create(User.objects.create_user("probe"), "Probe", "read")
    for given, in_detail in ((secret, True), ("nonsense", False)):
        asked = Client(headers={"Authorization": f"Bearer {given}"})
        assert ("detail" in look(asked, 200, REMOTE_ADDR=STRANGER)["redis"]) is in_detail


@pytest.mark.parametrize("status", [NodeStatus.ONLINE, NodeStatus.DRAINING])
def test_a_node_that_takes_no_messages_is_named(local: Client, valkey: Valkey, proven: Node, status: str) -> None:
    make.node("mute", status=status, canary_at=timezone.now() - timezone.timedelta(seconds=75))
    checks = look(local, 503)
    assert failing(checks) == {"nodes"}
    assert checks["nodes"]["detail"].startswith("The Celery of mute has taken no message for 75 s")


@pytest.mark.parametrize("status", [NodeStatus.OFFLINE, NodeStatus.SILENT])
def test_nodes_that_are_gone_do_not_count_while_others_are_here(
    local: Client, valkey: Valkey, proven: Node, status: str
) -> None:
    make.node("gone", status=status)
    assert look(local, 200)
    Node.objects.filter(pk=proven.pk).update(status=status)
    assert look(local, 503)["nodes"]["detail"] == "No node is online."


def test_a_migration_that_is_missing(local: Client, valkey: Valkey, proven: Node) -> None:
    applied = MigrationRecorder(connection)
    applied.record_unapplied("workers", "0001_initial")
    try:
        checks = look(local, 503)
    finally:
        applied.record_applied("workers", "0001_initial")
    assert failing(checks) == {"migrations", "nodes"}
    assert checks["migrations"]["detail"] == "1 are missing, such as workers.0001_initial."


def test_redis_is_away_and_comes_back(local: Client, valkey: Valkey, proven: Node) -> None:
    valkey.kill()
    assert failing(look(local, 503)) == {"redis"}
    valkey.start()
    look(local, 200)


def test_a_redis_that_takes_connections_and_is_silent(local: Client, valkey: Valkey, proven: Node) -> None:
    with valkey.frozen():
        before = threading.active_count()
        for _ in range(3):
            begun = time.monotonic()
            checks = look(local, 503)
            assert time.monotonic() - begun < LIMIT
            assert failing(checks) == {"redis"}
        assert threading.active_count() <= before + 2
    until(lambda: local.get("/readyz").status_code == 200, what="it is ready again")


@contextlib.contextmanager
def frozen_postgres() -> Iterator[None]:
    """Within: the server takes no new connection, and says nothing."""
    try:
        process = int((server().data / "postmaster.pid").read_text().split()[0])
    except Untouchable as reason:
        pytest.skip(str(reason))
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@pytest.mark.faults
def test_a_postgresql_that_is_stopped(local: Client, client: Client, valkey: Valkey, proven: Node) -> None:
    with frozen_postgres():
        for asking, in_detail in ((local, True), (client, False)):
            begun = time.monotonic()
            checks = look(asking, 503)
            assert time.monotonic() - begun < LIMIT
            assert failing(checks) == {"database", "migrations", "nodes"}
            assert ("detail" in checks["database"]) is in_detail
    until(lambda: local.get("/readyz").status_code == 200, what="it is ready again")


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Within: somebody else may write and nobody but them, in SQLite at all and in PostgreSQL what is counted."""
    ready, go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(f"LOCK TABLE {Failures._meta.db_table}")
            ready.set()
            go.wait(20)

    with Pool(1) as pool:
        held = pool.submit(hold)
        assert ready.wait(10)
        try:
            yield
        finally:
            go.set()
        held.result(10)


def test_a_token_that_does_not_work_waits_for_no_lock(valkey: Valkey, proven: Node) -> None:
    asking = Client(headers={"Authorization": "Bearer nonsense"})
    with locked():
        begun = time.monotonic()
        assert "detail" not in look(asking, 200, REMOTE_ADDR=STRANGER)["redis"]
        assert time.monotonic() - begun < LIMIT
    look(asking, 200, REMOTE_ADDR=STRANGER)
    assert Failures.objects.exists(), "it is counted where that can be done"


@pytest.mark.parametrize(
    ("which", "fails"), [("of_redis", {"redis"}), ("of_database", {"database", "migrations", "nodes"})]
)
def test_what_hangs_without_a_limit_of_its_own_has_failed(
    local: Client, valkey: Valkey, proven: Node, monkeypatch: pytest.MonkeyPatch, which: str, fails: set[str]
) -> None:
    go = threading.Event()

    def ask() -> health.Findings:
        go.wait(20)
        return {}

    question = health.Question("hung", ask)
    monkeypatch.setattr(health, which, question)
    begun = time.monotonic()
    checks = look(local, 503)
    assert time.monotonic() - begun < LIMIT
    assert failing(checks) == fails
    assert health.SILENT in {check["detail"] for check in checks.values()}
    go.set()
    question.put().result(10)


def test_who_asks_while_an_answer_is_awaited_gets_that_one() -> None:
    asked, go = [], threading.Event()

    def ask() -> health.Findings:
        asked.append(1)
        go.wait(10)
        return {"thing": health.Finding(True, "")}

    question = health.Question("test", ask)
    first, second = question.put(), question.put()
    assert first is second
    go.set()
    assert first.result(10)["thing"].ok
    assert question.put().result(10)["thing"].ok
    assert len(asked) == 2


def test_a_real_web_process_answers_in_time_though_everything_hangs(tmp_path: Path) -> None:
    with silent_server() as database, silent_server() as redis:
        places = {"DATABASE_URL": f"postgresql://yard@127.0.0.1:{database.getsockname()[1]}/yard"}
        places["REDIS_URL"] = f"redis://127.0.0.1:{redis.getsockname()[1]}/0"
        with Served(**places) as web:
            for _ in range(3):
                reply = web.get("/readyz", Cookie="specyard_session=abc")
                assert reply.status == 503
                assert reply.seconds < LIMIT
                assert failing(reply.json["checks"]) == {"database", "migrations", "redis", "nodes"}
                assert web.get("/healthz").seconds < 1


def test_without_the_database_this_machine_gets_the_numbers_of_the_process(tmp_path: Path) -> None:
    with silent_server() as closed:
        place = f"postgresql://yard@127.0.0.1:{closed.getsockname()[1]}/yard"
    with Served(DATABASE_URL=place) as web:
        numbers = web.get("/metrics")
        assert numbers.status == 200
        assert "\nspecyard_database_reachable 0.0\n" in numbers.text
        assert "\nspecyard_web_open_pages 0.0\n" in numbers.text
        assert "specyard_slots" not in numbers.text
        by_token = web.get("/metrics", Authorization="Bearer nonsense")
        assert (by_token.status, by_token.text) == (503, probing.NOBODY_KNOWN)


def test_a_web_process_ends_although_requests_and_streams_hang(tmp_path: Path) -> None:
    with silent_server() as database:
        place = f"postgresql://yard@127.0.0.1:{database.getsockname()[1]}/yard"
        with Served(DATABASE_URL=place) as web, Pool(1) as pool:
            asked = pool.submit(web.get, "/api/workers/events", Authorization="Bearer nonsense")
            database.settimeout(PATIENCE)
            with database.accept()[0]:  # from now on a thread waits for an answer
                web.process.terminate()
                web.process.wait(CLOSE_SECONDS + 5)
            with pytest.raises(OSError):  # http.client.RemoteDisconnected
                asked.result(10)
