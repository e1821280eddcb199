"""What can be measured from outside: the metrics of `/metrics`, by name, and how long requests took in this process.

What a scrape reads is in `dashboard.scrape`; the library that writes it down is loaded by the first one.
The table of docs/operations.md is written from here: `python -P -m dashboard.metrics`.
"""

import sys
import threading
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Type = Literal["gauge", "counter", "histogram"]
Labels = tuple[str, str, str]  # route, method, class of status
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"  # in place of a method that somebody has made up
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
BEGIN, END = "<!-- metrics: begin -->", "<!-- metrics: end -->"


@dataclass(frozen=True)
class Metric:
    """A metric as Prometheus names it; a counter's name ends in _total."""

    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()


METRICS = (
    Metric("specyard_build_info", "gauge", "Always 1; the label says what runs.", ("version",)),
    Metric("specyard_database_reachable", "gauge", "Whether the database answered; 0: only this process is told of."),
    Metric("specyard_workers", "gauge", "Active workers.", ("status",)),
    Metric("specyard_workers_attention", "gauge", "Active workers that wait for a person."),
    Metric("specyard_workers_finished_total", "counter", "Workers that have ended.", ("status", "reason")),
    Metric("specyard_attempts_finished_total", "counter", "Attempts at chunks that have ended.", ("status",)),
    Metric(
        "specyard_agent_tokens_total",
        "counter",
        "Tokens that agents have used in attempts that have ended.",
        ("profile", "direction"),
    ),
    Metric(
        "specyard_agent_cached_tokens_total",
        "counter",
        "Of the tokens in: those that the provider's cache had or took.",
        ("profile", "access"),
    ),
    Metric(
        "specyard_agent_cost_dollars_total",
        "counter",
        "Cost of agents in attempts that have ended, as they tell it.",
        ("profile",),
    ),
    Metric("specyard_slots_used", "gauge", "Slots in use."),
    Metric("specyard_slots_limit", "gauge", "How many workers may run at once."),
    Metric("specyard_queue_paused", "gauge", "Whether somebody has paused the queue."),
    Metric("specyard_queue_entries", "gauge", "Entries that wait.", ("cause",)),
    Metric("specyard_queue_oldest_wait_seconds", "gauge", "How long the oldest of them has waited.", ("cause",)),
    Metric("specyard_nodes", "gauge", "Nodes that have ever registered.", ("status",)),
    Metric("specyard_node_workers", "gauge", "Active workers; of nodes seen within a day.", ("node",)),
    Metric("specyard_node_load1", "gauge", "Load average of the last minute; of nodes that are here.", ("node",)),
    Metric("specyard_node_memory_used_ratio", "gauge", "Memory in use, 0 to 1; of nodes that are here.", ("node",)),
    Metric(
        "specyard_node_last_seen_timestamp_seconds", "gauge", "Last heartbeat; of nodes seen within a day.", ("node",)
    ),
    Metric(
        "specyard_node_canary_timestamp_seconds",
        "gauge",
        "When its Celery last took a message; of nodes seen within a day.",
        ("node",),
    ),
    Metric("specyard_events_total", "counter", "Events that were ever committed: the number of the newest."),
    Metric("specyard_web_open_pages", "gauge", "Open pages with a socket to this web process."),
    Metric("specyard_web_event_streams", "gauge", "Open event streams of this web process."),
    Metric("specyard_web_relay_lag_events", "gauge", "Events that were not passed on to them yet."),
    Metric(
        "specyard_http_request_duration_seconds",
        "histogram",
        "Time until the answer of this web process begins.",
        ("route", "method", "status_class"),
    ),
)


class Durations:
    """How long requests took in this process, by route, method and class of status.

    Without the library's own histogram: an idle yard that nobody scrapes would load all of it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, route: str, method: str | None, status: int, seconds: float) -> None:
        """Count one request; an address of the API is one route, whatever is asked of it."""
        key = (route, method if method in METHODS else OTHER, f"{status // 100}xx")
        with self._lock:
            counts = self._counts.setdefault(key, [0] * (len(BUCKETS) + 1))
            counts[bisect_left(BUCKETS, seconds)] += 1
            self._sums[key] = self._sums.get(key, 0.0) + seconds

    def read(self) -> dict[Labels, tuple[list[int], float]]:
        """(route, method, class) → the count of each bucket alone, the last without an end, and the sum of seconds."""
        with self._lock:
            return {key: (list(counts), self._sums[key]) for key, counts in self._counts.items()}


durations = Durations()


def table() -> str:
    """The metrics as a table of Markdown."""
    rows = ["| metric | type | labels | what |", "|---|---|---|---|"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {metric.type} | {labels} | {metric.help} |")
    return "\n".join(rows)


def renewed(page: str) -> str:
    """The page of documentation with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/operations.md")
    where.write_text(renewed(where.read_text(encoding="utf-8")), encoding="utf-8")
