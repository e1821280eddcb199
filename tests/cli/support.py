"""The commands as people and programs call them: in processes of their own, on pipes and on terminals."""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from click.testing import CliRunner

from dashboard.cli import main
from tests.up.support import SPECYARD

SECONDS = 60


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What --json has written."""
        return json.loads(self.out)

    @property
    def problem(self) -> Any:
        """What --json has written about what was wrong."""
        return json.loads(self.err)


@dataclass(frozen=True)
class Specyard:
    """`specyard` with an environment; call it with words."""

    environment: Mapping[str, str]

    def __call__(self, *words: str | int, told: str | None = None, **changes: str) -> Done:
        """Run a command to its end; nobody is at its terminal, because there is none."""
        done = subprocess.run(
            [*SPECYARD, *map(str, words)],
            env={**self.environment, **changes},
            input=told,
            stdin=subprocess.DEVNULL if told is None else None,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def good(self, *words: str | int, **changes: str) -> Done:
        """The same for a command that has to work."""
        done = self(*words, **changes)
        assert done.code == 0, done
        return done

    @contextlib.contextmanager
    def on_terminal(self, *words: str | int, columns: int = 60, **changes: str) -> "Iterator[Terminal]":
        """Run a command on a terminal of so many columns."""
        terminal = Terminal.started([*SPECYARD, *map(str, words)], {**self.environment, **changes}, columns)
        try:
            yield terminal
        finally:
            terminal.close()


@dataclass(frozen=True)
class InProcess(Specyard):
    """The same without a process of its own, where only the answer counts: a command takes no start."""

    def __call__(self, *words: str | int, told: str | None = None, **changes: str) -> Done:
        """Run a command, in this process unless its environment shall be another."""
        if changes:
            return super().__call__(*words, told=told, **changes)
        done = CliRunner().invoke(main, list(map(str, words)), told, prog_name="specyard")
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return Done(done.exit_code, done.stdout, done.stderr)


@dataclass
class Terminal:
    """What runs on a pseudo terminal, and what it has written."""

    process: "subprocess.Popen[bytes]"
    end: int
    _seen: bytearray = field(default_factory=bytearray)

    @classmethod
    def started(cls, command: list[str], environment: Mapping[str, str], columns: int) -> "Terminal":
        ours, theirs = pty.openpty()
        _size(theirs, columns, 40)
        variables = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        process = subprocess.Popen(
            command,
            env={"TERM": "xterm-256color", **variables, **({"NO_COLOR": "1"} if "NO_COLOR" in environment else {})},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        return cls(process, ours)

    @property
    def text(self) -> str:
        """All that it has written."""
        return self._seen.decode(errors="replace").replace("\r\n", "\n")

    def shows(self, what: str, *, after: int = 0) -> int:
        """Wait until it has written this, behind the place `after`; gives the place behind it."""
        deadline = time.monotonic() + SECONDS
        while (found := self.text.find(what, after)) < 0:
            assert self._read(deadline - time.monotonic()), f"{what!r} never came:\n{self.text}"
        return found + len(what)

    def types(self, text: str) -> None:
        os.write(self.end, text.encode())

    def resize(self, columns: int, rows: int) -> None:
        _size(self.end, columns, rows)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def interrupted(self) -> int:
        """Ctrl-C, again after a while: what comes right before Python waits for a line is noticed after it only."""
        for _ in range(int(SECONDS)):
            self.interrupt()
            with suppress(subprocess.TimeoutExpired):
                return self.process.wait(1)
        return self.ends()

    def ends(self) -> int:
        """Read what still comes; gives the exit code."""
        deadline = time.monotonic() + SECONDS
        while self._read(deadline - time.monotonic()):
            pass
        return self.process.wait(max(deadline - time.monotonic(), 0))

    def _read(self, seconds: float) -> bool:
        """Read something. False at the end, or when nothing came in time."""
        if seconds <= 0 or not select.select([self.end], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.end, 65536)
        except OSError:  # EIO: the other end is closed
            return False
        self._seen += data
        return bool(data)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.end)


def _size(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
