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
ESCAPES = dict(zip("\a\b\t\n\v\f\r\\", (rf"\{letter}" for letter in "abtnvfr\\"), strict=True))


class GitFailed(Exception):
    """What git complained of, as a sentence."""


def git(directory: str | Path, *arguments: str) -> str:
    """What git says in that directory. Raises GitFailed with its complaint, or when it takes too long."""
    return run(directory, *arguments)[1]


def run(directory: str | Path, *arguments: str, codes: tuple[int, ...] = (0,), told: str = "") -> tuple[int, str]:
    """Its exit code, which is one of `codes`, and its output; it is `told` something first. Raises GitFailed."""
    done = _run(directory, arguments, codes, subprocess.PIPE, told)
    return done.returncode, done.stdout.decode(errors="surrogateescape")


def write(directory: str | Path, file: IO[bytes], *arguments: str, told: str = "") -> None:
    """Have git write what it says to a file; it is `told` something first. Raises GitFailed."""
    _run(directory, arguments, (0,), file, told)


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
            ["git", *(argument.encode(errors="surrogateescape") for argument in arguments)],  # as `run` has read them
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


def readable(name: str) -> str:
    """A name of a file that git has told as text that can be shown: what is no text, or is not seen, is escaped.

    As git does it: `caf\\351`. Different names stay different, so that a file can be found by it.
    """
    if name.isprintable() and "\\" not in name:
        return name
    return "".join(char if char.isprintable() and char != "\\" else _escaped(char) for char in name)


def _escaped(char: str) -> str:
    return ESCAPES.get(char) or "".join(f"\\{byte:03o}" for byte in char.encode(errors="surrogateescape"))


def prose(text: str) -> str:
    """Words of people, as git has said them, as text: what is in an unknown encoding is replaced."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _environment() -> dict[str, str]:
    """Ours, without what a git that has started us may have set: that names another repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | ENVIRONMENT
