"""P10: from the start command on a ready installation to the first page, and how long Ctrl-C takes."""

import os
import shutil
import signal
import tempfile
import time
import urllib.request

from benchmarks import harness

RUNS = 10


def once() -> tuple[float, float]:
    """Seconds from the command to the first page, and from Ctrl-C to the end."""
    began = time.perf_counter()
    process = harness.start()
    address, _ = harness.greeting(process)
    with urllib.request.urlopen(address, timeout=10) as page:
        page.read()
    first_page = time.perf_counter() - began
    began = time.perf_counter()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    return first_page, time.perf_counter() - began


def main() -> None:
    about = harness.machine()
    data = tempfile.mkdtemp(prefix="specyard-bench-")
    os.environ.update(SPECYARD_CONFIG=os.devnull, SPECYARD_DATA_DIR=data, SPECYARD_PORT="0")
    try:
        first = once()
        ready = [once() for _ in range(RUNS)]
    finally:
        shutil.rmtree(data, ignore_errors=True)
    figures = {
        "first_ever_start_ms": round(first[0] * 1000, 1),
        "start_to_first_page_ms": harness.milliseconds([start for start, _ in ready]),
        "interrupt_to_end_ms": harness.milliseconds([end for _, end in ready]),
    }
    harness.report("startup", figures, about)


if __name__ == "__main__":
    main()
