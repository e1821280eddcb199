"""P7: from the request to a frozen tree, and from the request to no process left."""

import time
from pathlib import Path

import psutil

from benchmarks import harness

RUNS = 40
TREE = "sh -c 'sleep 300' & setsid sh -c 'sleep 300' & echo $$ > {file}; wait"


def pid_in(file: Path) -> int:
    """The command's pid, once it has written it; 0 before."""
    return int(file.read_text() or 0) if file.exists() else 0


def once(number: int, directory: Path) -> tuple[float, float]:
    """Seconds to pause and to stop one worker with a tree of five processes."""
    from queue_app import dispatch
    from workers.models import Event

    file = directory / f"{number}.pid"
    worker = dispatch.enqueue(harness.make_spec(f"t{number}", [TREE.format(file=file)], directory), by="bench")
    command = psutil.Process(harness.until(lambda: pid_in(file)))
    tree = harness.until(lambda: (found := command.children(recursive=True)) and len(found) >= 2 and found)
    began = time.time()
    worker.request_pause("bench")
    paused = harness.until(lambda: Event.objects.filter(worker_id=worker.pk, kind="worker_paused").first())
    pause = paused.at.timestamp() - began
    worker.request_resume("bench")
    harness.until(lambda: Event.objects.filter(worker_id=worker.pk, kind="worker_resumed").exists())
    began = time.time()
    worker.request_stop("bench")
    harness.until(lambda: not any(map(lives, [command, *tree])), pause=0.001)
    stop = time.time() - began
    harness.until(lambda: harness.finished(worker.pk))
    return pause, stop


def lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def main() -> None:
    about = harness.machine()
    with harness.up() as running:
        pairs = [once(number, running.data / "bench") for number in range(RUNS)]
    figures = {
        "pause_ms": harness.milliseconds([pause for pause, _ in pairs]),
        "stop_to_no_process_ms": harness.milliseconds([stop for _, stop in pairs]),
    }
    harness.report("control_latency", figures, about)


if __name__ == "__main__":
    main()
