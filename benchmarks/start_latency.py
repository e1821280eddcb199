"""P1: how long until the next worker's first instruction, after a slot was freed and when queued on an idle system.

The first instruction is the command's own: its shell creates a file, whose time is read. "Freed" is the end of the
worker before in the same slot, taken before its commit, so that the commit is part of what is measured.
"""

import time
from pathlib import Path

from benchmarks import harness

SPECS = 200
LIMIT = 3
IDLE_RUNS = 100


def first_instruction(name: str, directory: Path) -> float:
    """When the command of the spec began, in seconds since the epoch."""
    return (directory / f"{name}.started").stat().st_mtime_ns / 1e9


def command(name: str) -> str:
    return f": > {name}.started"


def freed_to_start(directory: Path) -> list[float]:
    from queue_app import dispatch
    from queue_app.models import WorkerQueue
    from workers.models import Worker

    dispatch.set_limit(0, by="bench")
    for number in range(SPECS):
        dispatch.enqueue(harness.make_spec(f"f{number}", [command(f"f{number}")], directory), by="bench")
    dispatch.set_limit(LIMIT, by="bench")
    harness.until(lambda: not WorkerQueue.objects.exists() and not Worker.objects.filter(slot__gt=0).exists())
    ends: dict[int, float] = {}
    latencies = []
    for slot, title, completed in Worker.objects.order_by("pk").values_list("last_slot", "title", "completed_at"):
        if slot in ends:
            latencies.append(first_instruction(title, directory) - ends[slot])
        ends[slot] = completed.timestamp()
    return latencies


def queued_to_start(directory: Path) -> list[float]:
    from queue_app import dispatch

    latencies = []
    for number in range(IDLE_RUNS):
        spec = harness.make_spec(f"i{number}", [command(f"i{number}")], directory)
        began = time.time()
        worker = dispatch.enqueue(spec, by="bench")
        harness.until(lambda worker=worker: harness.finished(worker.pk), pause=0.02)
        latencies.append(first_instruction(f"i{number}", directory) - began)
    return latencies


def main() -> None:
    about = harness.machine()
    with harness.up() as running:
        directory = running.data / "bench"
        queued_to_start_warm = queued_to_start(directory)
        figures = {
            "queued_to_first_instruction_ms": harness.milliseconds(queued_to_start_warm),
            "freed_to_first_instruction_ms": harness.milliseconds(freed_to_start(directory)),
        }
    harness.report("start_latency", figures, about)


if __name__ == "__main__":
    main()
