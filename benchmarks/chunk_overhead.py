"""P6: what a chunk that does nothing costs beyond the bare start of its process."""

import itertools
import subprocess
import time

from benchmarks import harness

CHUNKS = 200


def bare_start() -> float:
    """Seconds to start and reap the process that such a chunk runs."""
    began = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", "true"], check=True, close_fds=False)
    return time.perf_counter() - began


def main() -> None:
    about = harness.machine()
    with harness.up() as running:
        from queue_app import dispatch
        from workers.models import Attempt

        spec = harness.make_spec("nothing", ["true"] * CHUNKS, running.data / "bench")
        worker = dispatch.enqueue(spec, by="bench")
        harness.until(lambda: harness.finished(worker.pk), pause=0.05)
        starts = [at.timestamp() for at in Attempt.objects.order_by("pk").values_list("started_at", flat=True)]
    whole = [after - before for before, after in itertools.pairwise(starts)]
    bare = [bare_start() for _ in range(CHUNKS)]
    typical = sorted(bare)[len(bare) // 2]
    figures = {
        "chunk_ms": harness.milliseconds(whole),
        "bare_process_start_ms": harness.milliseconds(bare),
        "overhead_ms": harness.milliseconds([max(value - typical, 0) for value in whole]),
    }
    harness.report("chunk_overhead", figures, about)


if __name__ == "__main__":
    main()
