"""The services of one data directory: started step by step, kept alive, ended in order so that nothing is left."""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.cli import answers, application, ground, launcher, processes, state
from dashboard.cli.ancestor import Ancestor
from dashboard.cli.ready import Ready
from dashboard.cli.refusal import Refused
from dashboard.cli.report import say, step
from dashboard.cli.supervisor import Child, ChildFailed, StopAsked, Supervisor

if TYPE_CHECKING:
    import socket
    from io import TextIOWrapper

    from dashboard.config import Config

READY_SECONDS = 30.0
NODE_SECONDS = 15.0  # the node interrupts its runners within 10 s, then its Celery ends
END_SECONDS = 5.0
ENDING = "\nEnding: running chunks are interrupted and go on at the next start. Ctrl-C once more forces it."
FORK = sys.platform == "linux"  # elsewhere a fork that goes on without exec is not safe
PYTHON = [sys.executable, "-P", "-m"]


class Services:
    """Everything that `specyard up` runs (with_web), or the launcher and the Celery of one node of a fleet."""

    def __init__(self, *, with_web: bool) -> None:
        self.with_web = with_web
        self.link = ""
        self.config: Config
        self._supervisor: Supervisor
        self._lock: TextIOWrapper
        self._listener: socket.socket | None = None
        self._ancestor: Ancestor
        self._ready: dict[str, Ready] = {}
        self._children: dict[str, Child] = {}
        self._left: dict[str, state.Record] = {}  # what an `up` before this one left running

    @property
    def address(self) -> str:
        return ground.address(self._listener) if self._listener else ""

    @property
    def _state_file(self) -> Path:
        return self.config.data / "up.json"

    def run(self) -> None:
        """From the first step to the last process gone. Raises Refused when something is wrong."""
        with step("configuration") as current:
            self.config = ground.configuration()
            current.detail = ground.configuration_files()
        with step("data directory") as current:
            self._take_data_directory()
            current.detail = str(self.config.data)
        try:
            self._start()
            self._greet()
            self._supervisor.run()
        except StopAsked:
            pass
        except ChildFailed as failure:
            self._leave_runners()
            raise Refused(str(failure)) from failure
        except Refused:
            self._leave_runners()
            raise
        finally:
            self._stop()

    # Start

    def _take_data_directory(self) -> None:
        ground.directories(self.config)
        self._lock = ground.claim(self.config)
        os.environ["SPECYARD_DATA_DIR"] = str(self.config.data)
        os.environ["REDIS_URL"] = self.config.redis
        self._supervisor = Supervisor(self.config.data / "log", self._remember, self._let_go, say)
        self._supervisor.catch_signals()
        self._ancestor = Ancestor(self._supervisor)

    def _start(self) -> None:
        self._take_over()
        if self.with_web:
            with step("address") as current:
                self._listener = ground.listen(self.config)
                current.detail = self.address
        self._start_valkey_and_launcher()
        self._start_ancestor()
        with step("application"):
            self._ancestor.hear()
        with step("database") as current:
            current.detail = self._prepare_database()
        self._await_valkey_and_launcher()
        self._start_node_and_web()
        with step("health") as current:
            current.detail = self._health()

    def _take_over(self) -> None:
        """End what an `up` before this one left behind, but not its launcher: runners are its children.

        The node is killed rather than asked to end, which would interrupt its runners; the new one adopts them.
        """
        left = state.read(self._state_file).children
        self._left = {name: record for name, record in left.items() if record.lives}
        if not self._left:
            return
        with step("take over") as current:
            for name in self._left.keys() - {"launcher"}:
                processes.kill(self._left[name].pid, self._left[name].identity)
            current.detail = f"of what was left running: {', '.join(sorted(self._left))}"

    def _start_valkey_and_launcher(self) -> None:
        if not self.config.redis_url:
            self._add("valkey", processes.command(self._valkey_command()))
        application.load_launcher()
        try:
            pid = launcher.ping(self.config.launcher_socket)["pid"]
        except launcher.NoLauncher:
            if mute := self._left.get("launcher"):
                processes.kill(mute.pid, mute.identity)  # it lives and does not answer; its runners stay
            self._add("launcher", self._run_launcher)
        else:
            self._children["launcher"] = Child("launcher", self._run_launcher)
            self._supervisor.adopt(self._children["launcher"], pid)

    def _add(self, name: str, run: processes.Target) -> None:
        self._children[name] = Child(name, run)
        self._supervisor.add(self._children[name])

    def _valkey_command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.config.runtime_dir / "valkey.sock"),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "dir": str(self.config.runtime_dir),
            "hz": "1",
            "databases": "1",
            "maxclients": "1000",
            "latency-tracking": "no",
            "loglevel": "warning",
        }
        return [ground.valkey_binary(), *(word for key, value in options.items() for word in (f"--{key}", value))]

    def _start_ancestor(self) -> None:
        runs = {"node": self._run_node, "web": self._run_web} if self.with_web else {"node": self._run_node}
        for name, run in runs.items():
            self._ready[name] = Ready()
            self._children[name] = Child(name, run)
        self._ancestor.start(runs if FORK else {})

    def _prepare_database(self) -> str:
        found = self._ancestor.hear()
        if "error" in found:
            raise Refused(found["error"])
        self.link = found["link"]
        return str(found["database"])

    def _await_valkey_and_launcher(self) -> None:
        valkey = self._children.get("valkey")
        if valkey is None:
            with step("Redis") as current:
                current.detail = ground.redis_version(self.config.redis_url)
        else:
            path = self.config.runtime_dir / "valkey.sock"
            with step("Valkey") as current:
                self._supervisor.wait(valkey, partial(answers.accepts, path), READY_SECONDS)
                current.detail = str(path)
        child = self._children["launcher"]
        with step("launcher") as current:
            self._supervisor.wait(child, partial(answers.pings, self.config.launcher_socket), READY_SECONDS)
            current.detail = "kept from before, with its runners" if child.adopted else ""

    def _start_node_and_web(self) -> None:
        if FORK:
            for name, pid in self._ancestor.fork().items():
                self._supervisor.adopt(self._children[name], pid, ours=True)
        else:
            self._ancestor.end()
            for name in self._ready:
                self._supervisor.add(self._children[name])
        for name in reversed(self._ready):
            child = self._children[name]
            with step(name) as current:
                self._supervisor.wait(child, self._ready[name], READY_SECONDS)
                current.detail = self.config.node_name if name == "node" else self.address
        for ready in self._ready.values():
            ready.close()

    def _health(self) -> str:
        """Ask web and launcher once more, as a browser and the node will. Raises ChildFailed."""
        try:
            runs = len(launcher.ping(self.config.launcher_socket)["runs"])
        except launcher.NoLauncher as error:
            raise ChildFailed(f"The launcher does not answer: {error}") from error
        if self._listener and (fault := answers.fault_of_web(self.address, READY_SECONDS)):
            raise ChildFailed(fault)
        return f"{runs} runner{'' if runs == 1 else 's'} alive"

    def _greet(self) -> None:
        say("")
        if self._listener:
            say(f"Specyard is ready: {self.address}")
            say(f"Sign in (once, within 10 minutes): {self.address}{self.link}")
        else:
            say(f"Node {self.config.node_name} is ready.")
        say("Ctrl-C ends everything; unfinished work goes on at the next start.")

    # In the children

    def _run_launcher(self) -> None:
        path = str(self.config.launcher_socket)
        if FORK:
            from workers.runner import launcher as process

            process.main(path)
        else:
            processes.command([*PYTHON, "workers.runner", "launcher", "--socket", path])()

    def _run_node(self) -> None:
        from dashboard.cli import serve

        if self._listener:
            self._listener.close()
        ready = self._ready["node"].descriptor
        if FORK:
            serve.node(ready)
        else:
            _execute("node", ready=ready)

    def _run_web(self) -> None:
        from dashboard.cli import serve

        assert self._listener
        listener, ready = self._listener.fileno(), self._ready["web"].descriptor
        if FORK:
            serve.web(listener, ready)
        else:
            _execute("web", listener=listener, ready=ready)

    def _let_go(self) -> None:
        """In every child: the lock stays with us, or it would outlive a `kill -9`."""
        self._lock.close()

    # Memory of who runs

    def _remember(self) -> None:
        living = {child.name: state.Record(child.pid, child.identity) for child in self._children.values() if child.pid}
        try:
            state.write(self._state_file, self.address, living)
        except OSError as error:  # a full disk must not end what runs
            say(f"  ! {self._state_file} cannot be written: {error.strerror}. The next `up` will not know who runs.")

    # End

    def _leave_runners(self) -> None:
        """The start was refused: a launcher from before, and what it runs, waits for a start that works."""
        if "launcher" in self._children and self._children["launcher"].adopted:
            del self._children["launcher"]

    def _stop(self) -> None:
        if not self._children:
            return
        begun = time.monotonic()
        self._ancestor.end()
        say(ENDING if self._supervisor.asked else "\nEnding what has started.")
        for name, number, seconds in (
            ("node", signal.SIGTERM, NODE_SECONDS),
            ("web", signal.SIGTERM, END_SECONDS),
            ("valkey", signal.SIGKILL, END_SECONDS),  # it keeps nothing, and its farewell takes a second
        ):
            if name in self._children:
                self._supervisor.end(self._children[name], number, seconds)
        left: list[str] = []
        if "launcher" in self._children:
            left = self._end_runs()
            self._supervisor.end(self._children["launcher"], signal.SIGTERM, END_SECONDS)
        if left:
            raise Refused(f"Not everything could be ended; still there: run {', '.join(left)}.")
        self._state_file.unlink(missing_ok=True)
        say(f"Everything has ended ({time.monotonic() - begun:.1f} s).")

    def _end_runs(self) -> list[str]:
        """End the runners that the node left, paused ones for example. Gives those that would not go."""
        path = self.config.launcher_socket
        try:
            return [run for run in launcher.ping(path)["runs"] if not launcher.destroy(path, run)]
        except launcher.NoLauncher:
            return []


def _execute(what: str, **descriptors: int) -> None:
    """Become `python -P -m dashboard.cli.serve`, with these descriptors open in it."""
    words = [*PYTHON, "dashboard.cli.serve", what]
    for name, descriptor in descriptors.items():
        if descriptor >= 0:
            os.set_inheritable(descriptor, True)
        words += [f"--{name}", str(descriptor)]
    os.execv(words[0], words)
