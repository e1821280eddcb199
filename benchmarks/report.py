"""Write docs/benchmarks.md from benchmarks/results/*.json: the figures, the machine, and the targets beside them.

Run `make bench` to measure everything and write the page; nothing in it is typed by hand but the explanations.
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
TEMPLATE = Path(__file__).with_name("page.md")
MEASURED = (
    "start_latency",
    "chunk_overhead",
    "control_latency",
    "startup",
    "cli_startup",
    "api_requests",
    "idle",
    "agents",
    "git_time",
)
FIGURES = (
    ("start_latency", "freed_to_first_instruction_ms", "P1 slot freed → first instruction", (10, None, 40)),
    ("start_latency", "queued_to_first_instruction_ms", "P1 queued, idle → first instruction", (10, None, None)),
    ("chunk_overhead", "overhead_ms", "P6 a chunk that does nothing, beyond the process", (5, None, None)),
    ("chunk_overhead", "bare_process_start_ms", "the bare process", (None, None, None)),
    ("control_latency", "pause_ms", "P7 pause", (None, None, 2000)),
    ("control_latency", "stop_to_no_process_ms", "P7 stop → no process left", (300, None, 10000)),
    ("startup", "start_to_first_page_ms", "P10 start → first page", (1500, None, None)),
    ("startup", "interrupt_to_end_ms", "Ctrl-C → everything has ended, idle", (None, None, None)),
    ("cli_startup", "version_ms", "`specyard --version`", (150, None, None)),
    ("cli_startup", "workers_list_ms", "`specyard workers list`, 1,000 finished", (700, None, None)),
    ("cli_startup", "workers_list_cpu_ms", "the same, processor's time", (None, None, None)),
    ("api_requests", "get_workers_ms", "`GET /api/workers`, 1,000 finished, 16 connections", (None, None, None)),
    ("api_requests", "post_queue_ms", "`POST /api/queue`, 16 connections", (None, None, None)),
    ("agents", "cold_start_ms", "attempt → first request of opencode, cold", (None, None, None)),
    ("agents", "warm_start_ms", "the same, process and session kept from the chunk before", (None, None, None)),
)


def load(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return result


def rate(label: str, found: dict[str, float]) -> str:
    return f"| {label}: {found['requests_per_second']:g} requests a second | | | | {found['n']:g} | | |\n"


def row(label: str, found: dict[str, float], target: tuple[float | None, ...]) -> str:
    """One line of the table; a target of None has no figure."""
    names = ("p50", "p95", "p99")
    wanted = [f"{name} ≤ {limit:g}" for name, limit in zip(names, target, strict=True) if limit is not None]
    met = all(limit is None or found[name] <= limit for name, limit in zip(names, target, strict=True))
    verdict = ("yes" if met else "**no**") if wanted else ""
    values = " | ".join(f"{found[name]:g}" for name in names)
    return f"| {label} | {values} | {found['n']:g} | {', '.join(wanted) or ''} | {verdict} |\n"


def idle_rows(figures: dict[str, Any]) -> str:
    memory, cpu = figures["pss_mb"], figures["cpu_seconds_per_minute"]
    return (
        f"| P5 memory, idle | {memory:g} MB | | | | ≤ 140 MB | {'yes' if memory <= 140 else '**no**'} |\n"
        f"| P5 CPU, idle | {cpu:g} s a minute | | | | ≤ 0.3 s | {'yes' if cpu <= 0.3 else '**no**'} |\n"
    )


def memory_rows(figures: dict[str, float]) -> str:
    """What one worker's opencode takes, alone and beside others."""
    rows = ""
    for name, value in figures.items():
        state, count, _ = name.split("_")
        rows += f"| memory of opencode per worker, {state}, {count} at once | {value:g} MB | | | | | |\n"
    return rows


def git_rows(figures: dict[str, Any]) -> str:
    """What git takes, by hand and for workers; then how these compare."""
    who = {"git_by_hand": "by hand", "one_worker": "one worker", "eight_workers": "eight workers"}
    who["eight_workers_made_ahead"] = "eight workers, made ahead"
    rows = ""
    for name in ("worktree_made_ms", "repository_lock_ms", "checkpoint_ms", "restore_ms", "git_per_chunk_ms"):
        what = name.removesuffix("_ms").replace("_", " ")
        rows += "".join(
            row(f"git: {what}, {whose}", figures[key][name], (None,) * 3)
            for key, whose in who.items()
            if name in figures[key]
        )
    for key, what in (("one_worker_to_by_hand", "one worker to by hand"), ("eight_to_one", "eight workers to one")):
        ratios = ", ".join(
            f"{name.removesuffix('_ms').replace('_', ' ')} {value:g}" for name, value in figures[key].items()
        )
        rows += f"| git, {what}, ratio of the medians: {ratios} | | | | | | |\n"
    shares = ", ".join(
        f"{whose} {figures[key]['share_of_git']:.0%}" for key, whose in who.items() if key != "git_by_hand"
    )
    return rows + f"| share of git in a chunk that does nothing else: {shares} | | | | | | |\n"


def live_rows(figures: dict[str, Any]) -> str:
    """The rows of the live pages, whose figures carry their own names."""
    return "".join(
        row(
            f"P2 {name.removesuffix('_ms').replace('_', ' ')}",
            found,
            (30, None, 100) if "applied" in name else (None,) * 3,
        )
        for name, found in figures.items()
        if isinstance(found, dict) and {"p50", "p95", "p99", "n"} <= found.keys()
    )


def stream_rows(figures: dict[str, Any]) -> str:
    """The rows of event streams, whose figures carry their own names too."""
    return "".join(
        row(f"events: {name.removesuffix('_received_ms').replace('_', ' ')}, commit → received", found, (None,) * 3)
        for name, found in figures.items()
    )


def main() -> None:
    results = {name: load(name) for name in MEASURED}
    live, streams = load("live_latency"), load("event_streams")
    about = results["start_latency"]["machine"]
    hardware = f"{about['cpu']}, {about['cores']} cores, {about['memory_gib']} GiB"
    machine = f"{hardware}, {about['system']}, Python {about['python']}"
    loads = ", ".join(
        f"{name} {result['machine']['load_before']}"
        for name, result in {**results, "live_latency": live, "event_streams": streams}.items()
    )
    table = "".join(row(label, results[name]["figures"][key], target) for name, key, label, target in FIGURES)
    requests = results["api_requests"]["figures"]
    table += rate("`GET /api/workers`", requests["get_workers_ms"]) + rate(
        "`POST /api/queue`", requests["post_queue_ms"]
    )
    table += live_rows(live["figures"]) + stream_rows(streams["figures"]) + idle_rows(results["idle"]["figures"])
    table += git_rows(results["git_time"]["figures"])
    table += memory_rows(results["agents"]["figures"]["memory_per_worker"])
    PAGE.write_text(TEMPLATE.read_text().format(machine=machine, table=table, loads=loads))
    print(f"{PAGE} is written.")


if __name__ == "__main__":
    main()
