"""A real `specyard up` on a directory of its own, and how measurements are summed up.

Run a benchmark with `python -m benchmarks.NAME`. Each prints its figures and writes benchmarks/results/NAME.json.
"""

import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T")
RESULTS = Path(__file__).parent / "results"


@dataclass
class Up:
    """A running `specyard up`."""

    process: subprocess.Popen[str]
    data: Path
    address: str
    link: str  # signs in once


@contextmanager
def up(**environment: str) -> Iterator[Up]:
    """Start `specyard up` on a temporary directory and set Django up on its database in this process."""
    data = Path(tempfile.mkdtemp(prefix="specyard-bench-"))
    os.environ.update(SPECYARD_CONFIG=os.devnull, SPECYARD_DATA_DIR=str(data), SPECYARD_PORT="0", **environment)
    process = start()
    try:
        address, link = greeting(process)
        use_django()
        yield Up(process, data, address, link)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        shutil.rmtree(data, ignore_errors=True)


def start() -> "subprocess.Popen[str]":
    """The process of `specyard up`, with its output to be read.

    As it is installed: modules compiled, even where whoever measures has that switched off.
    """
    command = [str(Path(sys.executable).with_name("specyard")), "up"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def greeting(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """The address and the link that `up` prints. Raises RuntimeError with its output when it ends instead."""
    assert process.stdout
    seen = []
    address = ""
    for line in process.stdout:
        seen.append(line)
        if found := re.search(r"ready: (\S+)", line):
            address = found[1]
        if found := re.search(r"Sign in .*: (\S+)", line):
            return address, found[1]
    raise RuntimeError("".join(seen))


def use_django() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "dashboard.settings"
    import django

    django.setup()


def make_spec(name: str, commands: list[str], directory: Path) -> Any:
    """A spec of `command` chunks that are executed in place."""
    from specs.models import Chunk, Project, Spec

    directory.mkdir(parents=True, exist_ok=True)
    fields = {"directory": str(directory), "isolation": "in_place"}
    project, _ = Project.objects.get_or_create(name="bench", defaults=fields)
    spec = Spec.objects.create(project=project, key=name, title=name)
    chunks = [
        Chunk(spec=spec, ordinal=n, key=f"c{n}", title=f"Chunk {n}", executor="command", params={"run": command})
        for n, command in enumerate(commands, start=1)
    ]
    Chunk.objects.bulk_create(chunks)
    return spec


def until(condition: Callable[[], T], seconds: float = 120.0, pause: float = 0.002) -> T:
    """The first truthy value of the condition. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(pause)
    return value


def finished(worker_id: int) -> bool:
    from workers.models import Worker

    return Worker.objects.filter(pk=worker_id, slot=None).exists()


def milliseconds(values: list[float]) -> dict[str, float]:
    """Percentiles of durations in seconds, given in ms."""
    ordered = sorted(value * 1000 for value in values)
    cuts = statistics.quantiles(ordered, n=100, method="inclusive") if len(ordered) > 1 else ordered * 99
    rounded = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": ordered[-1]}
    return {"n": len(ordered), **{name: round(value, 2) for name, value in rounded.items()}}


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    model = next(
        (line.split(":")[1].strip() for line in cpu_lines() if line.startswith("model name")), platform.processor()
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def report(name: str, figures: dict[str, Any], about: dict[str, Any]) -> None:
    """Print the figures and write them with the machine beside them."""
    result = {"benchmark": name, "machine": about, "figures": figures}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
