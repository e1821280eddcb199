"""An event a line, with the ids of what it is about, whatever somebody has written into it."""

import io
import json
import logging
import logging.config
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils.functional import SimpleLazyObject
from structlog.contextvars import bound_contextvars

from dashboard import loglines, requests, tokens
from tests.health.serving import Served
from tests.support import make
from tests.support.wait import until
from tests.support.yard import ROOT, Yard
from workers.models import Worker

HOSTILE = "\n2026-01-01 [error] forged\r\x1b[2J\x1b]8;;http://evil\x07\u2028\u202e\x85\x00\ud800"
Log = Callable[..., str]


@pytest.fixture(params=["console", "json"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def log(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """Logs something and gives what was written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(loglines.formatter(kind))
    logger = logging.getLogger("specs.test_loglines")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    monkeypatch.setattr(logger, "propagate", False)

    def say(message: str, *arguments: object, level: int = logging.INFO, **how: object) -> str:
        stream.seek(0)
        stream.truncate()
        logger.log(level, message, *arguments, **how)  # type: ignore[arg-type]
        return stream.getvalue()

    yield say
    logger.removeHandler(handler)


def broken(text: str) -> str:
    raise ValueError(text)


# One line


def test_what_came_from_outside_stays_within_its_line(log: Log, kind: str) -> None:
    with bound_contextvars(worker=HOSTILE):
        text = log("Read %s", HOSTILE, extra={"path": HOSTILE, "found": {HOSTILE: [HOSTILE, Path(HOSTILE)]}})
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert text.isascii()
    assert not set(text[:-1]) & {*map(chr, range(32)), "\x7f"}
    if kind == "json":
        assert json.loads(text)["event"] == f"Read {HOSTILE}"
    else:
        assert r"\n2026-01-01 [error] forged\r\x1b[2J" in text


def test_a_traceback_is_readable_and_no_line_of_it_looks_like_one_of_the_log(log: Log, kind: str) -> None:
    try:
        broken(HOSTILE)
    except ValueError:
        text = log("It broke", level=logging.ERROR, exc_info=True)
    assert "Traceback (most recent call last)" in text
    assert "in broken" in text
    assert "\x1b" not in text
    if kind == "json":
        assert text.count("\n") == 1
        assert "\n2026-01-01 [error] forged" in json.loads(text)["exception"]
    else:
        first, *others = text.rstrip("\n").split("\n")
        assert "It broke" in first
        assert all(line.startswith(loglines.INDENT) for line in others)


def test_what_is_very_long_is_cut(log: Log) -> None:
    text = log("x" * 1_000_000)
    assert len(text) < loglines.LONGEST + 1000
    assert "(980000 more)" in text or "980000 more" in text


def test_numbers_that_json_does_not_know(log: Log, kind: str) -> None:
    text = log("Measured", extra={"value": float("nan"), "other": 1.5})
    if kind == "json":
        assert json.loads(text, parse_constant=broken)["value"] == "nan"


def test_a_request_in_a_record_is_left_out(log: Log) -> None:
    request = RequestFactory().get("/specs?token=very-secret")
    assert "very-secret" not in log("Refused", extra={"request": request})


# Secrets


def test_what_signs_in_is_never_told(log: Log) -> None:
    link, token = "/sign-in/" + "Ab_-" * 10, tokens.PREFIX + "x9" * 20
    try:
        broken(f"{link} {token}")
    except ValueError:
        text = log("Gone: %s", link, extra={"header": {"Authorization": f"Bearer {token}"}}, exc_info=True)
    assert "Ab_-Ab_-" not in text
    assert "x9x9" not in text
    assert "/sign-in/" in text


def test_a_real_link_and_a_real_token_are_known(db: None) -> None:
    from dashboard import signin

    user = User.objects.create_user("ada")
    link, (_, secret) = signin.create_link(user), tokens.create(user, "CI", "read")
    assert loglines.without_tokens(f"{link} {secret}") == "/sign-in/… specyard_…"


def test_further_redactors_see_every_text(log: Log, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hide = [*loglines.redactors, lambda text: text.replace("hunter2", "***")]
    monkeypatch.setattr(loglines, "redactors", hide)
    try:
        broken("hunter2")
    except ValueError:
        text = log("Said hunter2", extra={"deep": [{"hunter2": SimpleNamespace(a="hunter2")}]}, exc_info=True)
    assert "hunter2" not in text
    assert text.count("***") >= 4


# Ids


def test_lines_say_which_process_worker_and_attempt(log: Log, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loglines, "process", {})
    loglines.identify(service="node", node="yard-1")
    with bound_contextvars(worker=12, attempt=34):
        text = log("Done")
    facts = {"service": "node", "node": "yard-1", "worker": 12, "attempt": 34, "logger": "specs.test_loglines"}
    if kind == "json":
        event = json.loads(text)
        assert facts.items() <= event.items()
        assert event["timestamp"].endswith("Z")
        assert event["level"] == "info"
    else:
        assert "node=yard-1 service=node worker=12" in text
    assert "worker" not in log("Later")


def test_nobody_is_looked_up_for_a_log(log: Log) -> None:
    looked: list[int] = []
    request = RequestFactory().get("/")
    request.user = SimpleLazyObject(lambda: looked.append(1) or User(username="mira"))  # type: ignore[assignment]
    token = loglines.asked.set(loglines.Asked("id-1", request))
    try:
        assert "mira" not in log("Before")
        assert looked == []
        assert request.user.is_active
        text = log("After")
    finally:
        loglines.asked.reset(token)
    assert "mira" in text
    assert "id-1" in text


# Requests


@pytest.mark.parametrize("given", ["abc-123", "01HX:4/5=", "a" * 128])
def test_a_sane_id_of_a_proxy_is_kept(client: Client, given: str) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "a" * 129, "a b", "-x", "a\nb", "é", "<script>"])
def test_another_id_is_replaced(client: Client, given: str) -> None:
    name = client.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"]
    assert name != given
    assert len(name) == 32
    assert name != client.get("/healthz")["X-Request-ID"]


def test_a_request_is_told_once_with_route_and_status(
    viewer: Client, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.INFO, "dashboard.requests")
    viewer.get("/workers")
    viewer.get("/nowhere")
    viewer.get("/healthz")
    told = [(r.getMessage(), r.route, r.status) for r in caplog.records if r.name == "dashboard.requests"]  # type: ignore[attr-defined]
    assert told == [("GET /workers", "workers", 200), ("GET /nowhere", "unknown", 404)]


def test_operations_of_one_address_are_told_apart(
    operator: Client, viewer: Client, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.INFO, "dashboard.requests")
    for client in (operator, viewer):  # also where it is refused
        client.get("/api/projects/4711")
        client.patch("/api/projects/4711", {}, content_type="application/json")
    client.put("/api/projects/4711")
    told = [(r.route, r.status) for r in caplog.records if r.name == "dashboard.requests"]  # type: ignore[attr-defined]
    get, patch = "api:get_project", "api:update_project"
    assert told == [(get, 404), (patch, 404), (get, 404), (patch, 403), (get, 405)]


def test_sockets_are_told_with_their_path_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dashboard.requests")
    where = {"path": "/live/socket?topics=workers", "client": "127.0.0.1:4711"}
    for action in ("connecting", "connected", "disconnected"):
        requests.tell_connection("websocket", action, where)
    requests.tell_connection(
        "http", "complete", {**where, "status": 200, "method": "GET", "time_taken": 0.1, "size": 9}
    )
    assert [r.getMessage() for r in caplog.records] == [
        "Socket connected /live/socket",
        "Socket disconnected /live/socket",
    ]
    assert caplog.records[0].address == "127.0.0.1"  # type: ignore[attr-defined]


# Real processes


@pytest.mark.django_db(transaction=True)
def test_a_web_process_tells_programs_what_it_answered() -> None:
    with Served(SPECYARD_LOG_LEVEL="debug") as web:
        reply = web.get("/workers%0A%1b[2J", X_Request_ID="from-a-proxy")
        assert (reply.status, reply.headers["X-Request-ID"]) == (404, "from-a-proxy")
        event = web.told(request_id="from-a-proxy")
        assert event["event"] == "GET /workers\n\x1b[2J"
        facts = {"level": "info", "service": "web", "status": 404, "route": "unknown", "address": "127.0.0.1"}
        assert facts.items() <= event.items()
        assert event["duration_ms"] >= 0
        web.get("/sign-in/" + "s3cr3t" * 7)
        assert web.told(route="sign-in-link")["event"] == "GET /sign-in/…"
        sent = web.told(level="debug", event="Sent GET /sign-in/…")
        assert sent["duration_ms"] > 0
        assert "s3cr3t" not in "".join(web.log)


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_a_node_tells_of_which_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECYARD_LOG_FORMAT", "json")
    yard = Yard(tmp_path)
    try:
        yard.start()
        worker = make.worker("true", project=make.project(tmp_path, teardown_command="exit 3"))
        until(lambda: Worker.objects.filter(pk=worker.pk, slot=None).exists(), what="it ends")
        yard.kill("node", signal.SIGTERM)  # which it tells, too
        text = (tmp_path / "node.log").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        [event] = [line for line in lines if "teardown" in line["event"]]
        assert {
            "service": "node",
            "node": "test-node",
            "worker": worker.pk,
            "level": "warning",
        }.items() <= event.items()
    finally:
        yard.close()


CODE = """
import logging, sys, django
django.setup()
logging.getLogger("workers.x").info("ours")
logging.getLogger("other").info("a library")
logging.getLogger("other").warning("a warning")
"""


@pytest.mark.parametrize(
    ("given", "level", "wanted"),
    [("auto", "info", ["ours", "a warning"]), ("json", "error", []), ("console", "debug", ["ours", "a warning"])],
)
def test_the_settings_choose(tmp_path: Path, given: str, level: str, wanted: list[str]) -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
    environment |= {"SPECYARD_LOG_FORMAT": given, "SPECYARD_LOG_LEVEL": level}
    started = [sys.executable, "-c", CODE]
    done = subprocess.run(started, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)
    lines = done.stderr.splitlines()
    assert [any(word in line for line in lines) for word in ("ours", "a library", "a warning")] == [
        word in wanted for word in ("ours", "a library", "a warning")
    ]
    assert all(line.startswith("{") for line in lines) or given == "console"
    with (tmp_path / "log").open("w+") as file:
        subprocess.run(started, cwd=ROOT, env=environment, stderr=file, check=True, timeout=60)
        file.seek(0)
        assert all(line.startswith("{") == (given == "json") for line in file)
