"""One scrape: what the database has and what this process knows, written down for Prometheus.

The database is asked a constant number of small questions; what has ended is counted already (`workers.models.totals`),
so a scrape takes as long with a million finished workers as with none.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from importlib.metadata import version
from math import inf

from django.db import Error as DatabaseError
from django.utils import timezone
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from dashboard import metrics
from dashboard.live.feed import places
from dashboard.live.relay import Relay
from dashboard.metrics import BUCKETS, METRICS
from queue_app.census import FURTHER_BACK, census
from queue_app.models import Yard
from queue_app.waiting import Cause
from workers.models import Node, Totals, Worker, latest_seq
from workers.models.node import HEARD_OF
from workers.models.totals import ATTEMPTS, COST_PARTS, WORKERS
from workers.models.worker import IS_ACTIVE
from workers.states import ACTIVE, NodeStatus

KNOWN = {metric.name: metric for metric in METRICS}
REMEMBERED = timedelta(days=1)  # since the last heartbeat: machines that come and go have ever new names
ENDLESS = "+Inf"  # as Prometheus writes the end of the last bucket
Rows = Iterable[tuple[tuple[str, ...], float]]


def page(accept: str) -> tuple[bytes, str]:
    """The text of a scrape and its media type, in the format that whoever asks understands."""
    encoder, media_type = choose_encoder(accept)
    return encoder(registry()), media_type


def registry() -> CollectorRegistry:
    """What is written down: ours, and what the kernel knows of this process."""
    made = CollectorRegistry(auto_describe=False)
    made.register(Ours())
    ProcessCollector(registry=made)
    return made


class Ours(Collector):
    """The metrics of `dashboard.metrics`."""

    def collect(self) -> Iterator[Metric]:
        """All of them, or without the database those of this process."""
        try:
            read = list(of_database())
        except DatabaseError:
            read = []
        yield family("specyard_database_reachable", [((), float(bool(read)))])
        yield from read
        yield from of_process()


def family(name: str, rows: Rows) -> Metric:
    """A gauge or a counter with its samples: (the values of its labels, the number)."""
    known = KNOWN[name]
    made: CounterMetricFamily | GaugeMetricFamily
    if known.type == "counter":
        made = CounterMetricFamily(name, known.help, labels=known.labels)
    else:
        made = GaugeMetricFamily(name, known.help, labels=known.labels)
    for labels, number in rows:
        made.add_metric(labels, number)
    return made


# This process


def of_process() -> Iterator[Metric]:
    """What only this web process knows."""
    yield family("specyard_build_info", [((version("specyard"),), 1)])
    relays = Relay.all()
    yield family("specyard_web_open_pages", [((), sum(relay.pages for relay in relays))])
    yield family("specyard_web_event_streams", [((), places.taken)])
    known = KNOWN["specyard_http_request_duration_seconds"]
    made = HistogramMetricFamily(known.name, known.help, labels=known.labels)
    for labels, (counts, seconds) in sorted(metrics.durations.read().items()):
        total, buckets = 0, []
        for end, count in zip((*BUCKETS, inf), counts, strict=True):
            total += count
            buckets.append((ENDLESS if end == inf else str(end), total))
        made.add_metric(labels, buckets, seconds)
    yield made


# The database


def of_database() -> Iterator[Metric]:
    """What the database has. Raises django.db.Error."""
    yard = Yard.current()
    active = list(Worker.objects.filter(IS_ACTIVE).order_by().values_list("status", "node", "attention"))
    yield family("specyard_slots_used", [((), len(active))])
    yield family("specyard_slots_limit", [((), yard.limit)])
    by_status = Counter(status for status, _, _ in active)
    yield family("specyard_workers", [((status,), by_status[status]) for status in ACTIVE])
    yield family("specyard_workers_attention", [((), sum(bool(attention) for *_, attention in active))])
    yield from _of_queue(yard)
    yield from _of_nodes(Counter(node for _, node, _ in active))
    yield from _of_totals()
    newest = latest_seq()
    yield family("specyard_events_total", [((), newest)])
    read = [relay.seq for relay in Relay.all() if relay.seq is not None]
    yield family("specyard_web_relay_lag_events", [((), max((newest - seq for seq in read), default=0))])


def _of_queue(yard: Yard) -> Iterator[Metric]:
    waiting, causes = census(yard), [*map(str, Cause), FURTHER_BACK]
    yield family("specyard_queue_paused", [((), yard.paused)])
    yield family("specyard_queue_entries", [((cause,), waiting.entries[cause]) for cause in causes])
    oldest = [((cause,), waiting.oldest[cause].total_seconds()) for cause in causes if cause in waiting.oldest]
    yield family("specyard_queue_oldest_wait_seconds", oldest)


def _of_nodes(workers: Counter[int]) -> Iterator[Metric]:
    nodes = list(Node.objects.all())
    recent = [node for node in nodes if node.last_seen and timezone.now() - node.last_seen < REMEMBERED]
    here = [node for node in recent if node.status in HEARD_OF]
    by_status = Counter(node.status for node in nodes)
    yield family("specyard_nodes", [((str(status),), by_status[status]) for status in NodeStatus])
    yield family("specyard_node_workers", [((node.name,), workers[node.pk]) for node in recent])
    yield family("specyard_node_load1", [((node.name,), node.load) for node in here])
    yield family("specyard_node_memory_used_ratio", [((node.name,), node.memory / 100) for node in here])
    moments = {"last_seen": [(node.name, node.last_seen) for node in recent]}
    moments["canary"] = [(node.name, node.canary_at) for node in recent]
    for name, found in moments.items():
        rows = [((node,), at.timestamp()) for node, at in found if isinstance(at, datetime)]
        yield family(f"specyard_node_{name}_timestamp_seconds", rows)


def _of_totals() -> Iterator[Metric]:
    totals = sorted(Totals.now().items())
    for name, what in (("workers", WORKERS), ("attempts", ATTEMPTS)):
        rows = [(key[1:], number) for key, number in totals if key[0] == what]
        yield family(f"specyard_{name}_finished_total", rows)
    by_profile = [(key[0], key[1], number) for key, number in totals if key[0] not in (WORKERS, ATTEMPTS)]
    for name, kinds in (
        ("specyard_agent_tokens_total", {"tokens_in": "in", "tokens_out": "out"}),
        ("specyard_agent_cached_tokens_total", {"cached_read": "read", "cached_written": "written"}),
    ):
        used = [((profile, kinds[what]), number) for what, profile, number in by_profile if what in kinds]
        yield family(name, used)
    costs = [((profile,), number / COST_PARTS) for what, profile, number in by_profile if what == "cost"]
    yield family("specyard_agent_cost_dollars_total", costs)
