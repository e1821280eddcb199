"""The logs of what `up` runs stay short, however long it runs."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.cli import processes, supervisor
from dashboard.cli.supervisor import Child, Supervisor
from tests.support.wait import until

# Writes numbered lines for as long as there is a file `on`; then it waits.
WRITER = """
import os, pathlib, sys, time
number = 0
while pathlib.Path(sys.argv[1]).exists():
    os.write(1, b"".join(b"line %d\\n" % n for n in range(number, number + 50)))
    number += 50
time.sleep(60)
"""


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(supervisor, "LOG_SECONDS", 0.01)
    monkeypatch.setattr(processes, "LOG_BYTES", 20_000)
    made = Supervisor(tmp_path, changed=lambda: None, let_go=lambda: None, say=lambda text: None)
    yield made
    made.let_go()


def test_the_log_of_a_child_that_writes_on_and_on_is_shortened(kept: Supervisor, tmp_path: Path) -> None:
    on, log, aside = tmp_path / "on", tmp_path / "writer.log", tmp_path / "writer.log.1"
    on.touch()
    child = Child("writer", processes.command([sys.executable, "-c", WRITER, str(on)]))
    watch = threading.Thread(target=_enough, args=(kept, on, log, aside))
    kept.add(child)
    watch.start()
    try:
        kept.run()
    finally:
        kept.end(child, 9, 5)
        watch.join()
    assert child.failures == 1  # it ended only now
    assert aside.stat().st_size == 20_000
    assert aside.stat().st_mode & 0o077 == 0
    assert log.stat().st_size <= 20_000
    numbers = [int(line.split()[1]) for line in aside.read_text().splitlines()[1:] + log.read_text().splitlines()[1:]]
    assert numbers == sorted(numbers)


def _enough(kept: Supervisor, on: Path, log: Path, aside: Path) -> None:
    """Have it end once lines were put aside twice, and the log is short and has lines in it again."""
    try:
        until(aside.exists, what="lines are put aside")
        first = aside.read_bytes()
        until(lambda: aside.read_bytes() != first, what="others are put aside")
        on.unlink()
        until(lambda: log.stat().st_size <= 20_000, what="the log is short")
    finally:
        kept._ask()


def test_what_is_put_aside_is_no_longer_than_a_log_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOG_BYTES", 100)
    log = tmp_path / "web.log"
    log.write_bytes(b"old" * 1000 + b"new" * 40)
    processes.shorten(log)
    assert log.read_bytes() == b""
    assert (tmp_path / "web.log.1").read_bytes() == (b"new" * 40)[-100:]
    processes.shorten(log)
    assert (tmp_path / "web.log.1").exists()
