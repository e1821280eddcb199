"""A real launcher for the tests."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from tests.support.wait import until


@contextmanager
def running() -> Iterator[subprocess.Popen[bytes]]:
    """A launcher on the data directory of the tests; ended, with its runners, afterwards."""
    path = settings.SPECYARD.launcher_socket
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [sys.executable, "-P", "-m", "workers.runner", "launcher", "--socket", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        wait_for_socket(process)
        yield process
    finally:
        end_runs(process)
        process.terminate()
        process.wait(10)
        if process.stdout:
            process.stdout.close()


def end_runs(process: subprocess.Popen[bytes]) -> None:
    """End what a failed test has left running; a launcher that goes leaves its runners alone."""
    from workers import launch

    if process.poll() is None:
        for run in launch.alive():
            launch.destroy(run, epoch=None)


def wait_for_socket(process: subprocess.Popen[bytes]) -> None:
    """Wait until the launcher answers; raises AssertionError when it ends instead."""
    from workers import launch
    from workers.errors import LauncherUnavailable

    def answers() -> bool:
        assert process.poll() is None, "the launcher ended"
        try:
            return bool(launch.ping())
        except LauncherUnavailable:
            return False

    until(answers, 10, "the launcher answers")
