"""A real `specyard up` on a data directory and a database of its own, watched through what it prints."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPErrorProcessor, build_opener

import psutil

from tests.support.processes import alive
from tests.support.wait import until

SPECYARD = [sys.executable, "-P", "-m", "dashboard.cli"]
NODE = "tests-of-up"


class Up:
    """One `specyard up` (or `node` or `web`, with flags). Its output is read all the time; waiting needs no polling."""

    def __init__(self, environment: Mapping[str, str], command: str = "up", *prefix: str) -> None:
        self.data = Path(environment["SPECYARD_DATA_DIR"])
        self._text = ""
        self._heard = threading.Condition()
        self.process = subprocess.Popen(
            [*prefix, *SPECYARD, *shlex.split(command)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as output:
            for line in output:
                with self._heard:
                    self._text += line.decode()
                    self._heard.notify_all()
        with self._heard:
            self._heard.notify_all()

    @property
    def output(self) -> str:
        with self._heard:
            return self._text

    def hears(self, pattern: str, seconds: float = 40.0) -> re.Match[str]:
        """Wait for output; raises AssertionError with all of it when it does not come."""

        def found() -> bool:
            return bool(re.search(pattern, self._text)) or self._ended()

        with self._heard:
            self._heard.wait_for(found, seconds)
            match = re.search(pattern, self._text)
            assert match, f"never printed {pattern!r}:\n{self._text}"
            return match

    def _ended(self) -> bool:
        return not self._reader.is_alive()

    def is_ready(self) -> "Up":
        self.hears("Ctrl-C ends everything")
        return self

    @property
    def address(self) -> str:
        return self.hears(r"Specyard is ready: (\S+)\n")[1]

    @property
    def link(self) -> str:
        return self.hears(r"Sign in .*: (\S+)\n")[1]

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.data / "up.json").read_text())
        return state

    def pid(self, name: str) -> int:
        """The pid of a child, 0 while it does not live."""
        return int(self.state()["children"].get(name, {}).get("pid", 0))

    def restarted(self, name: str, before: int) -> int:
        """Wait until a child lives again under another pid; gives that."""
        return until(lambda: (pid := self.pid(name)) != before and pid, what=f"{name} is restarted")

    def everybody(self) -> set[int]:
        """`up` and all that it started, also what it adopted, with all of theirs."""
        found: set[int] = set()
        for pid in (self.process.pid, *(child["pid"] for child in self.state()["children"].values())):
            if alive(pid):
                found |= {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
        return found

    def ends(self, seconds: float = 30.0) -> int:
        """Wait for the end; gives the exit code."""
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return code

    def interrupt(self, number: int = signal.SIGINT) -> int:
        """Ask it to end and wait; gives the exit code."""
        self.process.send_signal(number)
        return self.ends()

    def interrupt_twice(self) -> None:
        """Have it end at once."""
        self.process.send_signal(signal.SIGTERM)
        self.process.send_signal(signal.SIGINT)
        self.ends()

    def kill(self) -> None:
        """SIGKILL only `up` itself. Its children keep their own outputs, so the pipe closes."""
        self.process.kill()
        self.ends()


def get(address: str) -> tuple[int, str]:
    """GET without following redirects: the status and where it leads."""

    class Plain(HTTPErrorProcessor):
        def http_response(self, request: Any, response: Any) -> Any:
            return response

    with build_opener(Plain).open(address, timeout=30) as response:
        return response.status, response.headers.get("Location", "")


def sign_in(link: str) -> tuple[int, str]:
    """Press the button of a link that signs in: the status and where it leads."""

    class Plain(HTTPErrorProcessor):
        def http_response(self, request: Any, response: Any) -> Any:
            return response

    opener = build_opener(Plain, HTTPCookieProcessor())
    with opener.open(link, timeout=30) as page:
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
        if found is None:
            return page.status, page.headers.get("Location", "")
    with opener.open(link, data=urlencode({"csrfmiddlewaretoken": found[1]}).encode(), timeout=30) as response:
        return response.status, response.headers.get("Location", "")


def run(environment: Mapping[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    """One command of `specyard` that ends by itself."""
    return subprocess.run([*SPECYARD, *words], env=environment, capture_output=True, text=True, timeout=60, check=False)


def python(environment: Mapping[str, str], code: str) -> str:
    """What a program prints that runs on the yard's own database."""
    prelude = "import django; django.setup()\n"
    done = subprocess.run(
        [sys.executable, "-P", "-c", prelude + code],
        env={**environment, "DJANGO_SETTINGS_MODULE": "dashboard.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def clean_environment(data: Path, database_url: str) -> dict[str, str]:
    """Our environment with a place of its own and nothing that would lead elsewhere."""
    foreign = ("DATABASE_URL", "REDIS_URL", "MAX_WORKERS", "DJANGO_SETTINGS_MODULE")
    environment = {
        name: value for name, value in os.environ.items() if name not in foreign and not name.startswith("SPECYARD_")
    }
    environment |= {"SPECYARD_DATA_DIR": str(data), "SPECYARD_PORT": "0", "SPECYARD_NODE_NAME": NODE}
    environment["SPECYARD_CONFIG"] = os.devnull
    return environment | ({"DATABASE_URL": database_url} if database_url else {})
