"""A yard of real processes on the tests' database: Valkey, launcher and the node's Celery, to be killed at will."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import redis
from django.conf import settings
from django.db import connection

from tests.support.wait import until
from workers import launch
from workers.errors import LauncherUnavailable
from workers.models import Node, Worker
from workers.states import NodeStatus

ROOT = Path(__file__).resolve().parents[2]


def database_url() -> str:
    """The tests' database as other processes name it."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    at = connection.settings_dict
    return f"postgresql://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{name}"


class Yard:
    """Starts the parts and knows their processes by name; `close` ends whatever is left."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.parts: dict[str, subprocess.Popen[bytes]] = {}
        self.retired: list[subprocess.Popen[bytes]] = []
        runtime: Path = settings.SPECYARD.runtime_dir
        runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.valkey_socket = runtime / "valkey.sock"

    def start(self) -> "Yard":
        self.start_valkey()
        self.start_launcher()
        self.start_node()
        return self

    def start_valkey(self) -> None:
        from dashboard.cli.ground import valkey_binary

        self.valkey_socket.unlink(missing_ok=True)
        options = ["--port", "0", "--unixsocket", str(self.valkey_socket), "--save", "", "--appendonly", "no"]
        self._spawn("valkey", [valkey_binary(), *options])
        until(self._valkey_answers, what="Valkey answers")

    def start_launcher(self) -> None:
        socket = str(settings.SPECYARD.launcher_socket)
        self._spawn("launcher", [sys.executable, "-P", "-m", "workers.runner", "launcher", "--socket", socket])
        until(self._launcher_answers, what="the launcher answers")

    def start_node(self, name: str = "node") -> None:
        """Start the node's Celery; returns when it has registered."""
        before = Node.objects.filter(name="test-node").values_list("instance", flat=True).first()
        self._spawn(name, [sys.executable, "-P", "-m", "dashboard.cli.serve", "node"])
        until(
            lambda: Node.objects.filter(name="test-node", status=NodeStatus.ONLINE).exclude(instance=before or "-"),
            what="the node registers",
        )

    def _spawn(self, name: str, argv: list[str]) -> None:
        environment = {
            **os.environ,
            "DATABASE_URL": database_url(),
            "REDIS_URL": f"unix://{self.valkey_socket}",
        }
        with (self.logs / f"{name}.log").open("ab") as log:
            self.parts[name] = subprocess.Popen(
                argv,
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Kill a part and wait until it is gone; its children are not touched."""
        process = self.parts.pop(name)
        process.send_signal(number)
        process.wait(30)

    def redis(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.valkey_socket), socket_timeout=2)

    def runner(self, worker: Worker) -> int:
        """The pid of the worker's runner, once it runs."""
        worker.refresh_from_db()
        return int(until(lambda: launch.ping()["runs"].get(f"{worker.folder}-{worker.incarnation}"))["pid"])

    def _valkey_answers(self) -> bool:
        try:
            return bool(self.redis().ping())
        except redis.RedisError:
            return False

    def _launcher_answers(self) -> bool:
        try:
            return bool(launch.ping())
        except LauncherUnavailable:
            return False

    def close(self) -> None:
        """End the runs that are left, then the parts, whatever state they are in."""
        try:
            if "node" in self.parts:
                self.kill("node")  # or it would begin again what is ended here
            if "launcher" in self.parts:
                for run in launch.alive():
                    launch.destroy(run, epoch=None)
        finally:
            for process in self.parts.values():
                process.kill()
                process.wait(10)
