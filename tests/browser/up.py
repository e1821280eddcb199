"""A real `specyard up` on a data directory of its own."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from tests.support.wait import until

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(http://[^/\s]+)(/sign-in/\S+)")
NOT_HANDED_ON = ("DATABASE_URL", "REDIS_URL", "MAX_WORKERS", "DJANGO_SETTINGS_MODULE")
END_SECONDS = 40


class Up:
    """`specyard up` in a process of its own; what it prints goes to a file, where its address and link are found."""

    def __init__(self, data: Path, node: str = "yard") -> None:
        self.data = data
        self.output = data / "output.txt"
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_HANDED_ON}
        own = {"SPECYARD_DATA_DIR": str(data), "SPECYARD_PORT": "0", "SPECYARD_NODE_NAME": node}
        self.environment = inherited | own | {"PYTHONPATH": str(ROOT)}
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-u", "-m", "dashboard.cli", "up"],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=data,
            )
        try:
            found = until(self._find_link, 60, "specyard up prints a link to sign in")
        except AssertionError:
            self.close()
            raise
        self.address, self.link = found[1], found[1] + found[2]

    def _find_link(self) -> re.Match[str] | None:
        text = self.output.read_text()
        assert self._process.poll() is None, f"specyard up ended:\n{text}"
        return LINK.search(text)

    def pid_of(self, child: str) -> int:
        """The pid of a child that lives now; 0 while it does not."""
        try:
            return int(json.loads((self.data / "up.json").read_text())["children"][child]["pid"])
        except (OSError, ValueError, KeyError):
            return 0

    def kill(self, child: str) -> int:
        """SIGKILL to a child. Returns the pid that it had; `specyard up` starts another one."""
        pid = self.pid_of(child)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_another(self, child: str, than: int) -> None:
        """Wait until the child lives again, as another process."""
        until(lambda: self.pid_of(child) not in (0, than) and psutil.pid_exists(self.pid_of(child)), 30)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database holds now."""
        with closing(sqlite3.connect(f"file:{self.data / 'specyard.sqlite3'}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()

    def processes_in(self, place: Path) -> list[int]:
        """Living processes that work in a directory or below it."""
        return list(_working_in(str(place)))

    def close(self) -> None:
        """Ctrl-C. What that does not end is killed, and is a failure."""
        if self._process.poll() is not None:
            return
        own = psutil.Process(self._process.pid)
        family = [own, *own.children(recursive=True)]
        self._process.send_signal(signal.SIGINT)
        _, left = psutil.wait_procs(family, END_SECONDS)
        for process in left:
            process.kill()
        self._process.wait()
        assert not left, f"still there after Ctrl-C: {left}"


def _working_in(place: str) -> Iterator[int]:
    for process in psutil.process_iter():
        try:
            where, status = process.cwd(), process.status()
        except psutil.Error:
            continue
        if status != psutil.STATUS_ZOMBIE and (where == place or where.startswith(place + os.sep)):
            yield process.pid
