"""What Prometheus reads."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from dashboard import metrics, tokens
from queue_app import census as module
from queue_app import dispatch
from queue_app.models import WorkerQueue, Yard
from tests.health.test_totals import agents_attempt, end_some
from tests.support import make
from workers.models import Node, Worker
from workers.states import NodeStatus

pytestmark = pytest.mark.django_db

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
STRANGER = "192.0.2.7"
UNITS = {"seconds", "ratio", "dollars", "bytes"}
NO_UNIT = {
    "events",
    "tokens",
    "entries",
    "workers",
    "nodes",
    "pages",
    "streams",
    "used",
    "limit",
    "paused",
    "attention",
    "load1",
}

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(client: Client, **how: str) -> Samples:
    reply = client.get("/metrics", **how)
    assert reply.status_code == 200, reply.content
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(reply.content.decode())
        for sample in family.samples
    }


def one(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"specyard_{name}", tuple(sorted(labels.items()))]


# Who may read them


def test_a_stranger_is_refused(local: Client) -> None:
    reply = local.get("/metrics", REMOTE_ADDR=STRANGER)
    assert reply.status_code == 401
    assert reply["WWW-Authenticate"].startswith("Bearer")
    assert b"specyard_workers" not in reply.content


def test_a_viewer_reads_from_anywhere(viewer: Client) -> None:
    assert scrape(viewer, REMOTE_ADDR=STRANGER)


def test_a_token_reads_from_anywhere_while_it_works(local: Client) -> None:
    user = User.objects.create_user("prometheus")
    token, secret = tokens.create(user, "Scrape", "read")
    local = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {secret}"})
    assert scrape(local, REMOTE_ADDR=STRANGER)
    tokens.revoke(token)
    for address in (STRANGER, "127.0.0.1"):
        reply = local.get("/metrics", REMOTE_ADDR=address)
        assert reply.status_code == 401
        assert "invalid_token" in reply["WWW-Authenticate"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_reads_without_an_account(local: Client, address: str) -> None:
    assert scrape(local, REMOTE_ADDR=address, HTTP_HOST="localhost:8420")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": STRANGER},
        {"Forwarded": f"for={STRANGER}"},
        {"Via": "1.1 proxy"},
        {"Host": "yard.example.org"},
    ],
)
def test_a_proxy_on_this_machine_is_not_this_machine(local: Client, settings: object, headers: dict[str, str]) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "yard.example.org"]  # type: ignore[attr-defined]
    headers = {"Host": "localhost", **headers}
    assert local.get("/metrics", headers=headers, REMOTE_ADDR="127.0.0.1").status_code == 401


def test_only_reading(operator: Client) -> None:
    assert operator.post("/metrics").status_code == 405
    assert operator.head("/metrics").status_code == 200


# What they say


def test_an_empty_yard_and_all_its_numbers(local: Client, node: Node) -> None:
    samples = scrape(local)
    assert one(samples, "database_reachable") == 1
    assert one(samples, "slots_limit") == Yard.current().limit
    assert one(samples, "workers", status="running") == 0
    assert one(samples, "queue_entries", cause="slots_full") == 0
    assert one(samples, "nodes", status="online") == 1
    assert one(samples, "web_open_pages") == 0
    assert one(samples, "web_relay_lag_events") == 0
    assert ("process_resident_memory_bytes", ()) in samples


def test_workers_queue_and_slots(local: Client, node: Node) -> None:
    Yard.current()
    Yard.objects.update(limit=2)
    later = timezone.now() + timedelta(days=1)
    first, _ = (dispatch.enqueue(make.spec(), by="mira") for _ in range(2))
    assert isinstance(first, Worker)
    Worker.claim(first.pk, first.epoch)
    Worker.objects.filter(pk=first.pk).update(attention="May I?")
    dispatch.enqueue(make.spec(), by="mira")
    dispatch.enqueue(make.spec(), by="mira", not_before=later)
    WorkerQueue.objects.update(added_at=timezone.now() - timedelta(minutes=5))
    samples = scrape(local)
    assert one(samples, "workers", status="running") == 1
    assert one(samples, "workers", status="idle") == 1
    assert one(samples, "workers_attention") == 1
    assert one(samples, "slots_used") == one(samples, "slots_limit") == 2
    assert one(samples, "node_workers", node="test-node") == 2
    assert one(samples, "queue_entries", cause="slots_full") == 1
    assert one(samples, "queue_entries", cause="not_before") == 1
    assert 300 <= one(samples, "queue_oldest_wait_seconds", cause="slots_full") < 360
    dispatch.pause_queue(by="mira")
    samples = scrape(local)
    assert one(samples, "queue_paused") == 1
    assert one(samples, "queue_entries", cause="queue_paused") == 2


def test_entries_further_back_are_counted_without_their_cause(
    local: Client, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", 2)
    dispatch.pause_queue(by="mira")
    for _ in range(5):
        dispatch.enqueue(make.spec(), by="mira")
    samples = scrape(local)
    assert one(samples, "queue_entries", cause="queue_paused") == 2
    assert one(samples, "queue_entries", cause="further_back") == 3


def test_nodes(local: Client) -> None:
    at = timezone.now()
    make.node("here", load=1.5, memory=40.0, canary_at=at)
    make.node("gone", status=NodeStatus.OFFLINE, load=9.0)
    make.node("long-ago", status=NodeStatus.OFFLINE, last_seen=at - timedelta(days=2), canary_at=at - timedelta(days=2))
    samples = scrape(local)
    assert one(samples, "nodes", status="online") == 1
    assert one(samples, "nodes", status="offline") == 2
    assert one(samples, "node_load1", node="here") == 1.5
    assert one(samples, "node_memory_used_ratio", node="here") == pytest.approx(0.4)
    assert one(samples, "node_canary_timestamp_seconds", node="here") == pytest.approx(at.timestamp(), abs=1)
    assert ("specyard_node_load1", (("node", "gone"),)) not in samples
    assert one(samples, "node_workers", node="gone") == 0
    assert "long-ago" not in str(samples), "machines that come and go under ever new names would make ever more series"


def test_what_has_ended_never_goes_down(local: Client) -> None:
    end_some()
    agents_attempt("opencode", 100, "0.25")
    before = scrape(local)
    assert one(before, "workers_finished_total", status="failed", reason="chunk_failed") == 2
    assert one(before, "attempts_finished_total", status="passed") == 1
    assert one(before, "agent_tokens_total", profile="opencode", direction="out") == 200
    assert one(before, "agent_cached_tokens_total", profile="opencode", access="read") == 7
    assert one(before, "agent_cost_dollars_total", profile="opencode") == 0.25
    assert one(before, "events_total") > 0
    Worker.objects.filter(status="failed").delete()
    after = scrape(local)
    assert {key: number for key, number in before.items() if key[0].endswith("_total") and after[key] < number} == {}


def test_requests_are_timed_by_the_name_of_their_route(
    viewer: Client, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "durations", metrics.Durations())
    worker = make.worker()
    viewer.get(f"/workers/{worker.pk}")
    viewer.get("/workers/4711")
    viewer.get("/no/such\r\npage")
    viewer.get("/static/js/nothing.js")
    viewer.generic("BREW", "/workers")
    samples = scrape(viewer)
    name = "http_request_duration_seconds"
    for route, method, status in (
        ("worker", "GET", "2xx"),
        ("worker", "GET", "4xx"),
        ("unknown", "GET", "4xx"),
        ("static", "GET", "4xx"),
        ("workers", "other", "4xx"),
    ):
        labels = {"route": route, "method": method, "status_class": status}
        assert one(samples, f"{name}_count", **labels) == 1
        assert one(samples, f"{name}_bucket", **labels, le="+Inf") == 1
        assert one(samples, f"{name}_sum", **labels) > 0
    assert "4711" not in str(samples)


def test_buckets_add_up() -> None:
    seen = metrics.Durations()
    for seconds in (0.001, 0.005, 0.006, 60.0):
        seen.observe("worker", "GET", 200, seconds)
    counts, total = seen.read()["worker", "GET", "2xx"]
    assert (counts[0], counts[1], counts[-1], sum(counts)) == (2, 1, 1, 4)
    assert total == pytest.approx(60.012)


# How they are named, and what they cost


def test_names_follow_the_conventions(local: Client, node: Node) -> None:
    """https://prometheus.io/docs/practices/naming/"""
    text = local.get("/metrics").content.decode()
    assert text.count("# HELP specyard_") == len(
        {line for line in text.splitlines() if line.startswith("# HELP specy")}
    )
    ours = {family.name: family for family in parse(text) if family.name.startswith("specyard_")}
    for metric in metrics.METRICS:
        assert re.fullmatch(r"specyard(_[a-z0-9]+)+", metric.name)
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric.name
        bare = metric.name.removesuffix("_total")
        last = bare.rsplit("_", 1)[-1]
        assert last in UNITS | NO_UNIT | {"info", "reachable", "finished"}, metric.name
        assert all(re.fullmatch(r"[a-z][a-z_]*", label) for label in metric.labels)
        assert metric.help.endswith(".")
        assert ours.pop(bare).type == metric.type, metric.name
    assert set(ours) == set()


def test_openmetrics_is_spoken_where_it_is_asked_for(local: Client, node: Node) -> None:
    end_some()
    local.get("/workers")
    reply = local.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert reply["Content-Type"].startswith("application/openmetrics-text")
    names = {family.name for family in parse_open(reply.content.decode())}
    assert "specyard_workers_finished" in names


def test_labels_with_hostile_names_stay_labels(local: Client) -> None:
    name = 'n"} 1\nspecyard_slots_limit 99\n\\'
    make.node(name)
    assert one(scrape(local), "node_workers", node=name) == 0


def test_more_of_everything_asks_no_more(local: Client, node: Node) -> None:
    def grow() -> None:
        end_some()
        agents_attempt("opencode", 1, "0.1")
        for _ in range(3):
            dispatch.enqueue(make.spec("true", "true"), by="mira", not_before=timezone.now() + timedelta(days=1))

    grow()
    scrape(local)
    with CaptureQueriesContext(connection) as few:
        scrape(local)
    for _ in range(3):
        grow()
    with CaptureQueriesContext(connection) as many:
        scrape(local)
    assert len(many) == len(few) <= 16


def test_the_page_has_the_table_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == metrics.renewed(page), "run: python -P -m dashboard.metrics"
