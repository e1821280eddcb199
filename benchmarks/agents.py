"""Agents: how much sooner a chunk begins when the agent's process is kept, and the memory of a worker with one.

The agent is the real opencode, its model answers by a script at once. A chunk begins when its attempt is opened, the
agent works when its first request reaches the model. "Cold" is the first chunk of a worker, "warm" every later one.
"""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks import harness
from tests.support.openai_server import Model, answer, hold, say, serving
from tests.support.opencode import Opencode, executable
from tests.support.repository import repository

CHUNKS = 21
WORKERS = 10
TOGETHER = 4


def agent_spec(project: Any, key: str, chunks: int, then: str = "") -> Any:
    """A spec of so many agent chunks, and a command after them."""
    from specs.models import Chunk, Spec

    spec = Spec.objects.create(project=project, key=key, title=key)
    made = [
        Chunk(spec=spec, ordinal=n, key=f"c{n}", title=f"{key}, {n}", executor="agent", instructions="Say hello.")
        for n in range(1, chunks + 1)
    ]
    if then:
        made.append(
            Chunk(spec=spec, ordinal=chunks + 1, key="then", title="then", executor="command", params={"run": then})
        )
    Chunk.objects.bulk_create(made)
    return spec


def set_up(data: Path, model: Model) -> Any:
    """A project in a git repository whose agent is the scripted opencode."""
    from specs.agents import AgentProfile
    from specs.models import Project

    opencode = Opencode(Path(tempfile.mkdtemp(dir=data)), executable())
    AgentProfile.objects.filter(name="opencode").update(
        command=opencode.binary, environment=opencode.settings(model), model="", mode="", login_files=[]
    )
    source = repository(data / "project")
    fields = {"directory": str(source), "isolation": "worktree", "default_profile": "opencode"}
    return Project.objects.create(name="agents", **fields)


def first_requests(model: Model, key: str) -> dict[int, float]:
    """When the first request for each chunk of the spec arrived, in seconds since the epoch."""
    found: dict[int, float] = {}
    for request in model.requests:
        for number in range(1, CHUNKS + 1):
            if f": {key}, {number}\n" in request.told + "\n":
                found.setdefault(number, request.at)
    return found


def starts(worker: Any) -> dict[int, float]:
    from workers.models import Attempt

    rows = Attempt.objects.filter(chunk__worker=worker, chunk__executor="agent")
    return {ordinal: at.timestamp() for ordinal, at in rows.values_list("chunk__ordinal", "started_at")}


def run(project: Any, model: Model, key: str, chunks: int) -> list[float]:
    """Seconds from the opening of each attempt to the agent's first request."""
    from queue_app import dispatch

    worker = dispatch.enqueue(agent_spec(project, key, chunks), by="bench")
    harness.until(lambda: harness.finished(worker.pk), seconds=300, pause=0.02)
    began, asked = starts(worker), first_requests(model, key)
    return [asked[number] - began[number] for number in sorted(began)]


def agents_in(place: Path) -> list[psutil.Process]:
    """The agents' processes that work below a directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if "opencode" in Path(process.exe()).name and process.cwd().startswith(str(place)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def pss(processes: list[psutil.Process]) -> float:
    """Megabytes."""
    return float(round(sum(process.memory_full_info().pss for process in processes) / 1e6, 1))


def memory(project: Any, data: Path, gate: threading.Event, model: Model) -> dict[str, float]:
    """Megabytes per worker: opencode in the middle of an answer, and while a command chunk runs after it."""
    from queue_app import dispatch
    from workers.models import Attempt

    figures = {}
    for count in (1, TOGETHER):
        gate.clear()
        for number in range(count):
            model.add(answer(say("Well. "), hold(gate, 120), to=f"busy{count}-{number}, 1"))
        specs = [agent_spec(project, f"busy{count}-{number}", 1, then="sleep 8") for number in range(count)]
        workers = [dispatch.enqueue(spec, by="bench") for spec in specs]
        harness.until(lambda count=count: len(asked(model, f"busy{count}-")) == count, seconds=120)
        figures[f"busy_{count}_mb"] = round(pss(agents_in(data)) / count, 1)
        gate.set()
        commands = Attempt.objects.filter(chunk__worker__in=workers, chunk__executor="command")
        harness.until(lambda commands=commands, count=count: commands.count() == count, seconds=120)
        figures[f"idle_{count}_mb"] = round(pss(agents_in(data)) / count, 1)
        for worker in workers:
            harness.until(lambda worker=worker: harness.finished(worker.pk), seconds=120, pause=0.05)
    return figures


def asked(model: Model, key: str) -> list[Any]:
    return [request for request in model.requests if key in request.told]


def main() -> None:
    about = harness.machine()
    gate = threading.Event()
    hello: Callable[[], Any] = lambda: answer(say("Hello."), times=-1)  # noqa: E731
    with serving() as model, harness.up() as running:
        project = set_up(running.data, model)
        figures = memory(project, running.data / "workspaces", gate, model)
        model.add(hello())
        cold = [latency for number in range(WORKERS) for latency in run(project, model, f"cold{number}", 1)]
        first, *warm = run(project, model, "warm", CHUNKS)
    summary = {
        "cold_start_ms": harness.milliseconds([*cold, first]),
        "warm_start_ms": harness.milliseconds(warm),
        "memory_per_worker": figures,
    }
    harness.report("agents", summary, about)


if __name__ == "__main__":
    main()
