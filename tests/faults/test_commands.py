"""Commands that nobody would write on purpose: each ends with a reason for people, and nothing of it is left."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.management import call_command

from tests.support import processes
from tests.support.wait import until
from tests.support.work import ended, started
from tests.support.yard import Yard
from workers import launch
from workers.models import Attempt, Event, Worker
from workers.states import Reason, WorkerStatus

pytestmark = pytest.mark.faults

# Twenty chains whose links live for some milliseconds, each in a session of its own: gone before one can look.
# Each adds a byte to the file that it is given. They end by themselves, in case.
STORM = """
import os, sys, time
end = time.monotonic() + 30
links = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for _ in range(20):
    if os.fork() == 0:
        break
else:
    time.sleep(30)
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    os.setsid()
    os.write(links, b".")
    time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def yard(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """One yard for all tests of this module; the database is emptied afterwards."""
    with django_db_blocker.unblock():
        made = Yard(tmp_path_factory.mktemp("yard"))
        try:
            yield made.start()
        finally:
            made.close()
            call_command("flush", verbosity=0, interactive=False)


@pytest.fixture
def transactional_db(yard: Yard) -> None:
    """Instead of pytest-django's: the yard lives on the database, so it is not emptied after each test."""


@pytest.fixture
def mark(tmp_path: Path) -> str:
    """A command that sleeps and whose processes are known by their arguments."""
    return f"sleep 9{tmp_path.stat().st_ino}"


@pytest.fixture(autouse=True)
def nothing_is_left(transactional_db: None, yard: Yard, mark: str) -> Iterator[None]:
    """Whatever a test started is gone at its end."""
    yield
    assert not processes.marked(mark)
    assert launch.ping()["runs"] == {}
    launcher = psutil.Process(yard.parts["launcher"].pid)
    foreign = [child for child in launcher.children(recursive=True) if child.cmdline() != launcher.cmdline()]
    assert foreign == []  # the others are runners that wait to be given to somebody
    assert not [child for child in launcher.children() if child.children()]


def outcome(command: str, directory: Path, **fields: Any) -> Worker:
    """The worker after its only chunk, which may be tried once, has ended."""
    return ended(started(command, directory=directory, **{"max_attempts": 1, **fields}))


def attempt_of(worker: Worker) -> Attempt:
    return Attempt.objects.select_related("chunk").get(chunk__worker=worker)


@pytest.mark.parametrize(
    "command, reason, sentence",
    [
        ("no-such-program --flag", "command_not_found", "The command was not found (exit code 127)."),
        ("/", "command_failed", "The command is not executable (exit code 126)."),
        ("if", "command_failed", "The command ended with exit code 2."),
        ("exit 3", "command_failed", "The command ended with exit code 3."),
        ("kill -SEGV $$", "command_failed", "The command was killed by SIGSEGV."),
        ("kill 0", "command_failed", "The command was killed by SIGTERM."),
        ("sh -c 'kill -9 $$'", "command_failed", "The command ended with exit code 137 (SIGKILL)."),
    ],
)
def test_a_command_that_fails_says_how(command: str, reason: str, sentence: str, tmp_path: Path) -> None:
    worker = outcome(command, tmp_path)
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.CHUNK_FAILED)
    assert worker.error == f"Chunk 1: {sentence}"
    assert attempt_of(worker).reason == reason


def test_a_command_that_reads_its_input_finds_none(tmp_path: Path) -> None:
    assert outcome("cat; echo over", tmp_path).last_line == "over"


@pytest.mark.parametrize(
    "begin",
    [
        "trap '' TERM INT HUP; {mark} & while :; do sleep 0.05; done",
        "{mark} & kill -STOP $$",
        "exec >/dev/null 2>&1; {mark} & {mark}",
        "env -i setsid sh -c 'trap \"\" TERM; {mark} & {mark}' & {mark}",
    ],
    ids=["ignores TERM", "has stopped itself", "has closed its output", "has children in other sessions"],
)
def test_a_command_that_does_not_want_to_end_is_ended_by_stop(begin: str, tmp_path: Path, mark: str) -> None:
    worker = started(begin.format(mark=mark), directory=tmp_path)
    until(lambda: processes.marked(mark), what="it runs")
    worker.request_stop("mira")
    done = ended(worker, 10)
    assert (done.status, done.error) == (WorkerStatus.STOPPED, "Stopped by mira.")


def test_what_a_command_leaves_in_the_background_is_ended_and_the_work_goes_on(tmp_path: Path, mark: str) -> None:
    daemon = f"env -i setsid sh -c 'exec <&- >&- 2>&-; touch {tmp_path}/up; {mark} & {mark}' &"
    worker = outcome(f"{daemon} while ! test -e up; do sleep 0.01; done; echo mine; exit 0", tmp_path)
    assert worker.status == WorkerStatus.COMPLETED
    lines = processes.lines(attempt_of(worker).log_path)
    assert lines[0] == "mine"
    assert lines[-1].endswith("left running, ended ──")


def test_a_child_that_keeps_the_output_open_does_not_hold_the_chunk_up(tmp_path: Path, mark: str) -> None:
    worker = outcome(f"{mark} & echo done", tmp_path)
    assert (worker.status, worker.error) == (WorkerStatus.COMPLETED, "")


def test_a_hundred_megabytes_without_a_line_end(tmp_path: Path) -> None:
    worker = outcome("head -c 100000000 /dev/zero | tr '\\0' x", tmp_path)
    attempt = attempt_of(worker)
    assert worker.status == WorkerStatus.COMPLETED
    assert (attempt.log_bytes, attempt.log_lines) == (100_000_000, 1)
    assert attempt.log_path.stat().st_size == 100_000_000
    assert set(worker.last_line) == {"x"}
    assert len(worker.last_line) <= 300
    attempt.log_path.unlink()


def test_a_million_quick_lines_are_all_kept_and_few_are_told(tmp_path: Path) -> None:
    worker = outcome("seq 1000000", tmp_path)
    attempt = attempt_of(worker)
    assert (worker.status, worker.last_line) == (WorkerStatus.COMPLETED, "1000000")
    assert (attempt.log_lines, attempt.log_bytes) == (1_000_000, attempt.log_path.stat().st_size)
    assert attempt.started_at is not None
    assert attempt.finished_at is not None
    seconds = (attempt.finished_at - attempt.started_at).total_seconds()
    told = Event.objects.filter(worker_id=worker.pk, data__has_key="log_bytes").count()
    assert told <= seconds * 4 + 2
    attempt.log_path.unlink()


def test_binary_output_is_kept_raw_and_shown_clean(tmp_path: Path) -> None:
    raw = bytes(range(256)) * 40 + b"\xff\xfe\xed\xa0\x80 \x1b[31mre\x00d\x1b[0m \x1b]0;title\x07paint\r\n"
    (tmp_path / "raw").write_bytes(raw)
    worker = outcome("cat raw; exit 5", tmp_path)
    attempt = attempt_of(worker)
    assert (worker.status, attempt.exit_code) == (WorkerStatus.FAILED, 5)
    assert attempt.log_path.read_bytes() == raw
    assert attempt.log_bytes == len(raw)
    assert worker.last_line.endswith("red paint")
    for text in (worker.last_line, attempt.findings):
        assert not [char for char in text if not char.isprintable() and char not in "\n\t"]
    assert attempt.findings.startswith("The command ended with exit code 5.")


def test_a_workspace_that_is_deleted_under_a_running_chunk(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    worker = outcome('rm -rf "$SPECYARD_WORKSPACE"; echo still here', project, max_attempts=2)
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.CHUNK_FAILED)
    tried = Attempt.objects.filter(chunk__worker=worker).order_by("number").values_list("reason", "message")
    assert list(tried) == [
        ("workspace_missing", "The workspace was deleted while the command ran."),
        ("workspace_missing", f"The workspace {project} is not there."),
    ]


def storm(directory: Path) -> tuple[Worker, Path]:
    """A worker whose chunk is a storm of forks, at its height, and the file that grows with it."""
    program, links = directory / "storm.py", directory / "links"
    program.write_text(STORM)
    command = f"exec python3 {shlex.quote(str(program))} {shlex.quote(str(links))}"
    worker = started(command, directory=directory)
    until(lambda: links.exists() and links.stat().st_size > 200, what="the storm blows")
    return worker, links


def grows(links: Path, directory: Path) -> bool:
    """Whether the file grows while another worker is driven to its end."""
    before = links.stat().st_size
    outcome("sleep 0.3", directory)
    return links.stat().st_size > before


def test_a_storm_of_forks_is_ended_by_stop(tmp_path: Path) -> None:
    worker, links = storm(tmp_path)
    assert grows(links, tmp_path)
    worker.request_stop("mira")
    assert ended(worker, 10).status == WorkerStatus.STOPPED
    assert not grows(links, tmp_path)
    assert not processes.marked(str(links))


def test_a_storm_of_forks_is_frozen_by_pause(tmp_path: Path) -> None:
    worker, links = storm(tmp_path)
    worker.request_pause("mira")
    until(lambda: Worker.objects.get(pk=worker.pk).status == WorkerStatus.PAUSED, 2.0, "paused within 2 s")
    assert not grows(links, tmp_path)
    worker.request_resume("mira")
    until(lambda: grows(links, tmp_path), what="it blows again")
    worker.request_stop("mira")
    assert ended(worker, 10).status == WorkerStatus.STOPPED
    assert not processes.marked(str(links))
