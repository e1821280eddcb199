"""How long commands take from their start to their end: `specyard --version` and lists of 1,000 finished workers."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import harness

RUNS = 30
FINISHED = 1000
COMMANDS = {
    "version_ms": ["--version"],
    "help_ms": ["workers", "--help"],
    "workers_list_ms": ["workers", "list"],
    "workers_list_json_ms": ["workers", "list", "--json"],
    "queue_list_ms": ["queue", "list"],
}


def once(words: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds from the start of a command to its end, and of CPU that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = [str(Path(sys.executable).with_name("specyard")), *words]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def prepare() -> None:
    """A database with workers in it, through Django in this process."""
    harness.use_django()
    from django.core.management import call_command
    from django.utils import timezone

    from workers.models import Node, Worker

    call_command("migrate", verbosity=0, interactive=False)
    spec = harness.make_spec("work", ["true"], Path(os.environ["SPECYARD_DATA_DIR"]) / "work")
    node = Node.register("bench", "bench", {}, 64)
    facts = {"spec": spec, "project": spec.project, "title": "Work", "node": node, "last_slot": 1, "total": 1}
    now = timezone.now()
    ended = [Worker(**facts, status="completed", completed_at=now) for _ in range(FINISHED)]
    Worker.objects.bulk_create(ended)


def main() -> None:
    about = harness.machine()
    data = tempfile.mkdtemp(prefix="specyard-bench-")
    os.environ.update(SPECYARD_CONFIG=os.devnull, SPECYARD_DATA_DIR=data)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    figures: dict[str, object] = {"finished_workers": FINISHED}
    try:
        prepare()
        for name, words in COMMANDS.items():
            once(words, environment)  # compiles what is not
            runs = [once(words, environment) for _ in range(RUNS)]
            figures[name] = harness.milliseconds([took for took, _ in runs])
            figures[name.replace("_ms", "_cpu_ms")] = harness.milliseconds([cpu for _, cpu in runs])
    finally:
        shutil.rmtree(data, ignore_errors=True)
    harness.report("cli_startup", figures, about)


if __name__ == "__main__":
    main()
