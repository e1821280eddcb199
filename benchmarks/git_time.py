"""X4: the time that goes into git with worktrees of one repository: one worker alone, eight at once, eight made ahead.

The time of a request is that from its `started` to its `finished` in the runner's journal; the wait for the lock of the
repository is told by the request itself. Beside them stands what the same costs when git is called by hand, on the same
repository, in the same minute: what a command line needs to add a worktree, to commit, and to put back.
"""

import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import harness

WORKERS = 8
ALONE = 4  # workers that have the repository to themselves, one after another
CHUNKS = 10
FAILING = (3, 7)  # chunks whose first attempt fails, so that the worktree is put back
DIRECTORIES, FILES, LINES = 100, 20, 60  # of the repository: 2,000 files of 60 lines
KINDS = {"prepare": "worktree_made", "checkpoint": "checkpoint", "restore": "restore"}
IDENTITY = ("-c", "user.name=Bench", "-c", "user.email=bench@example.org")


@dataclass
class Times:
    """What one round of workers took, in seconds."""

    requests: dict[str, list[float]]  # by kind
    waits: list[float]  # for the repository's lock
    per_chunk: list[float]  # in git, of each chunk: what kept it and what put back before it
    wall: list[float]  # of each chunk, from its start to the start of the next


def git(directory: Path, *arguments: str) -> str:
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True).stdout.strip()


def make_repository(directory: Path) -> None:
    """Deterministic, with a history of a few commits."""
    directory.mkdir(parents=True)
    git(directory, "init", "--quiet", "--initial-branch", "main")
    for generation in range(3):
        for number in range(DIRECTORIES * FILES):
            path = directory / f"d{number % DIRECTORIES:02d}" / f"f{number // DIRECTORIES:02d}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(f"line {line} of {number}, {generation}\n" for line in range(LINES)))
        git(directory, "add", "--all")
        git(directory, "commit", "--quiet", "--message", f"Generation {generation}")


def command(ordinal: int) -> str:
    """Changes five files; fails once where its first attempt is to fail."""
    change = f"for d in 00 20 40 60 80; do echo {ordinal} >> d$d/f{ordinal:02d}.txt; done"
    return f'{change}; test "$SPECYARD_ATTEMPT" -gt 1' if ordinal in FAILING else change


def make_spec(name: str, directory: Path) -> Any:
    from specs.models import Project

    spec = harness.make_spec(name, [command(ordinal) for ordinal in range(1, CHUNKS + 1)], directory)
    Project.objects.update(isolation="worktree", default_branch="main")
    return spec


def run(names: list[str], directory: Path) -> list[Any]:
    """The workers of these specs, which began at the same time, when all have ended."""
    from queue_app import dispatch
    from workers.models import Worker

    dispatch.pause_queue("bench")
    for name in names:
        dispatch.enqueue(make_spec(name, directory), by="bench")
    dispatch.resume_queue("bench")
    harness.until(lambda: Worker.objects.filter(title__in=names, slot=None).count() == len(names), pause=0.05)
    workers = list(Worker.objects.filter(title__in=names).order_by("pk"))
    assert all(worker.status == "completed" for worker in workers), [worker.error for worker in workers]
    return workers


def finished(data: Path, worker: Any) -> Iterator[tuple[str, float, dict[str, Any]]]:
    """(request, seconds, facts) of each request of a worker that is about git."""
    begun: dict[str, datetime] = {}
    for line in (data / "runs" / f"{worker.folder}-{worker.incarnation}" / "journal.ndjson").read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] == "started":
            begun[entry["request"]] = datetime.fromisoformat(entry["at"])
        elif entry["kind"] == "finished":
            took = datetime.fromisoformat(entry["at"]) - begun[entry["request"]]
            yield entry["request"], took.total_seconds(), entry["result"]["facts"]


def times(data: Path, workers: list[Any]) -> Times:
    from workers.models import Attempt

    found = Times(defaultdict(list), [], [], [])
    for worker in workers:
        chunks: dict[str, float] = defaultdict(float)
        for request, seconds, facts in finished(data, worker):
            kind = request.partition(":")[2] or request
            if kind in KINDS:
                found.requests[KINDS[kind]].append(seconds)
                chunks[request.partition(".")[0]] += seconds if kind != "prepare" else 0
            if "waited" in facts:
                found.waits.append(facts["waited"])
        found.per_chunk += [seconds for chunk, seconds in chunks.items() if chunk.isdecimal()]
        attempts = Attempt.objects.filter(chunk__worker=worker, number=1).order_by("chunk__ordinal")
        starts = [at.timestamp() for at in attempts.values_list("started_at", flat=True)]
        ends = [*starts[1:], worker.completed_at.timestamp()]
        found.wall += [end - start for start, end in zip(starts, ends, strict=True)]
    return found


def by_hand(repository: Path, target: Path, took: dict[str, list[float]]) -> None:
    """What one worker does, with git called from here, one command after another."""
    with timed(took["worktree_made"]):
        git(repository, "worktree", "add", "--quiet", "-b", f"hand-{target.name}", str(target), "main")
    for ordinal in range(1, CHUNKS + 1):
        if ordinal in FAILING:
            subprocess.run(["/bin/sh", "-c", command(1)], cwd=target, check=True)
            with timed(took["restore"]):
                git(target, "reset", "--quiet", "--hard")
                git(target, "clean", "--quiet", "-fd")
        subprocess.run(["/bin/sh", "-c", command(1)], cwd=target, check=True)
        with timed(took["checkpoint"]):
            git(target, "add", "--all")
            git(target, "commit", "--quiet", "--message", "work")


class timed:
    """Adds the seconds of a block to a list."""

    def __init__(self, into: list[float]) -> None:
        self._into = into

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._into.append(time.perf_counter() - self._began)


def figures_of(found: Times) -> dict[str, Any]:
    figures: dict[str, Any] = {f"{kind}_ms": harness.milliseconds(taken) for kind, taken in found.requests.items()}
    figures["repository_lock_ms"] = harness.milliseconds(found.waits)
    figures["git_per_chunk_ms"] = harness.milliseconds(found.per_chunk)
    figures["chunk_ms"] = harness.milliseconds(found.wall)
    figures["share_of_git"] = round(sum(found.per_chunk) / sum(found.wall), 3)
    return figures


def ratio(one: dict[str, Any], other: dict[str, Any]) -> dict[str, float]:
    """How many times as long the median takes, by what both have."""
    shared = [name for name in one if name in other and isinstance(one[name], dict)]
    return {name: round(one[name]["p50"] / other[name]["p50"], 2) for name in shared if other[name]["p50"] >= 1}


def made_ahead(data: Path) -> int:
    return len(list((data / "ahead").glob("*.ready")))


def run_ahead(running: harness.Up, repository: Path) -> list[Any]:
    """Workers whose workspaces were ready when their slots became free."""
    from queue_app import dispatch

    dispatch.set_limit(0, by="bench")
    names = [f"ahead{number}" for number in range(WORKERS)]
    for name in names:
        dispatch.enqueue(make_spec(name, repository), by="bench")
    harness.until(lambda: made_ahead(running.data) == WORKERS, pause=0.1)
    from workers.models import Worker

    dispatch.set_limit(WORKERS, by="bench")
    harness.until(lambda: Worker.objects.filter(title__in=names, slot=None).count() == WORKERS, pause=0.05)
    return list(Worker.objects.filter(title__in=names).order_by("pk"))


def main() -> None:
    about = harness.machine()
    with harness.up(MAX_WORKERS=str(WORKERS), SPECYARD_SPARE_WORKSPACES=str(WORKERS)) as running:
        repository = running.data / "bench"
        make_repository(repository)
        took: dict[str, list[float]] = defaultdict(list)
        workers = []
        for number in range(ALONE):
            workers += run([f"alone{number}"], repository)
            by_hand(repository, running.data / "hand" / str(number), took)
        alone = figures_of(times(running.data, workers))
        hand = {f"{kind}_ms": harness.milliseconds(taken) for kind, taken in took.items()}
        together = figures_of(times(running.data, run([f"w{number}" for number in range(WORKERS)], repository)))
        ahead = figures_of(times(running.data, run_ahead(running, repository)))
    figures = {
        "repository": {"files": DIRECTORIES * FILES, "lines": DIRECTORIES * FILES * LINES},
        "one_worker": alone,
        "eight_workers": together,
        "eight_workers_made_ahead": ahead,
        "git_by_hand": hand,
        "eight_to_one": ratio(together, alone),
        "made_ahead_to_not": ratio(ahead, together),
        "one_worker_to_by_hand": ratio(alone, hand),
    }
    harness.report("git_time", figures, about)


if __name__ == "__main__":
    main()
