"""Running git on the node, bounded in time and in what it may say. Outside of any transaction."""

import contextlib
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import IO

GIT_SECONDS = 60.0
ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", "GIT_OPTIONAL_LOCKS": "0"}


class GitFailed(Exception):
    """What git complained of, as a sentence."""


def git(directory: str | Path, *arguments: str) -> str:
    """What git says in that directory. Raises GitFailed with its complaint, or when it takes too long."""
    return run(directory, *arguments)[1]


def run(directory: str | Path, *arguments: str, codes: tuple[int, ...] = (0,), told: str = "") -> tuple[int, str]:
    """Its exit code, which is one of `codes`, and its output; it is `told` something first. Raises GitFailed."""
    done = _run(directory, arguments, codes, subprocess.PIPE, told)
    return done.returncode, done.stdout.decode(errors="surrogateescape")


def write(directory: str | Path, file: IO[bytes], *arguments: str) -> None:
    """Have git write what it says to a file. Raises GitFailed."""
    _run(directory, arguments, (0,), file)


def _run(
    directory: str | Path, arguments: tuple[str, ...], codes: tuple[int, ...], stdout: int | IO[bytes], told: str = ""
) -> subprocess.CompletedProcess[bytes]:
    with _started(directory, arguments, stdout, subprocess.PIPE) as process:
        try:
            said, complaints = process.communicate(told.encode(), GIT_SECONDS)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise _too_long(arguments) from None
    if process.returncode not in codes:
        raise GitFailed(_complaint(complaints) or f"git {arguments[0]} failed.")
    return subprocess.CompletedProcess(arguments, process.returncode, said, complaints)


def beginning(directory: str | Path, limit: int, *arguments: str) -> bytes:
    """The first `limit` bytes of what git says; it is ended when there is more. Raises GitFailed."""
    with _started(directory, arguments, subprocess.PIPE, subprocess.DEVNULL) as process:
        timer = threading.Timer(GIT_SECONDS, _kill, [process])
        timer.start()
        try:
            assert process.stdout is not None
            said = process.stdout.read(limit)
            if len(said) == limit:
                _kill(process)
                return said
            process.wait()
        finally:
            timer.cancel()
    if process.returncode < 0:
        raise _too_long(arguments)
    if process.returncode:
        raise GitFailed(f"git {arguments[0]} failed.")
    return said


def _started(
    directory: str | Path, arguments: tuple[str, ...], stdout: int | IO[bytes], stdin: int
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            ["git", *arguments],
            cwd=directory,
            env=_environment(),
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE if stdin == subprocess.PIPE else subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise GitFailed(f"git cannot run in {directory}: {error.strerror}.") from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it with everything that it has started: a child would hold our end of the pipe."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _too_long(arguments: tuple[str, ...]) -> GitFailed:
    return GitFailed(f"git {arguments[0]} took longer than {GIT_SECONDS:.0f} s.")


def _complaint(said: bytes) -> str:
    """The first of its complaints, in one line."""
    lines = [line.partition(": ")[2] for line in _lines(said) if line.startswith(("fatal: ", "error: "))]
    return " ".join(lines[:3])


def _lines(said: bytes) -> list[str]:
    return said.decode(errors="replace").splitlines()


def _environment() -> dict[str, str]:
    """Ours, without what a git that has started us may have set: that names another repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | ENVIRONMENT
