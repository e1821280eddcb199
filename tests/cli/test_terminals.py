"""What is seen on terminals: tables that fit, colours, and a table that is drawn anew until Ctrl-C."""

import os
import re
import shlex
import subprocess

import pytest
from rich.cells import cell_len

from tests.cli.support import Specyard, Terminal
from tests.support import make
from tests.up.support import SPECYARD
from workers.models import Node, Worker

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LONG = "A title that is much longer than any terminal of this test is wide, so that something has to give way 漢字"


@pytest.fixture
def worker(node: Node) -> Worker:
    found = make.worker(title=LONG)
    running = Worker.claim(found.pk, found.epoch)
    assert running
    return running


@pytest.mark.parametrize("columns", [30, 60, 200])
def test_a_table_fits_the_terminal(specyard: Specyard, worker: Worker, columns: int) -> None:
    with specyard.on_terminal("workers", "list", columns=columns) as terminal:
        assert terminal.ends() == 0
    lines = ESCAPE.sub("", terminal.text).splitlines()
    assert max(map(cell_len, lines)) <= columns
    assert "running" in lines[1]
    assert len(lines) == 2
    assert ("漢字" in lines[1]) == (columns == 200)


def test_colours_are_for_terminals_that_want_them(specyard: Specyard, worker: Worker) -> None:
    with specyard.on_terminal("workers", "list") as terminal:
        assert terminal.ends() == 0
    assert "\x1b[32m" in terminal.text
    with specyard.on_terminal("workers", "list", NO_COLOR="1") as terminal:
        assert terminal.ends() == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", terminal.text)


def test_watching_goes_on_until_it_is_interrupted(specyard: Specyard, worker: Worker) -> None:
    with specyard.on_terminal("workers", "list", "--watch", columns=80) as terminal:
        seen = terminal.shows("running")
        Worker.objects.filter(pk=worker.pk).update(desired="stop")
        terminal.shows("stopping", after=seen)
        terminal.interrupt()
        assert terminal.ends() == 130
    assert "Traceback" not in terminal.text
    left = given_back(terminal)
    assert "stopping" in left  # what was seen last stays
    assert left.rstrip().endswith("Interrupted.")


def given_back(terminal: Terminal) -> str:
    """What stands on the terminal once its own screen and its cursor are back."""
    before, _, left = terminal.text.rpartition("\x1b[?1049l")
    assert before.count("\x1b[?1049h") == 1
    assert "\x1b[?25h" in left or before.rfind("\x1b[?25h") > before.rfind("\x1b[?25l")
    return left


def test_each_drawing_covers_the_one_before_at_any_size(specyard: Specyard, node: Node) -> None:
    for number in range(4):
        make.worker(title=f"{number} {LONG}")
    with specyard.on_terminal("workers", "list", "--watch", columns=120) as terminal:
        seen = terminal.shows("3 A title")
        terminal.resize(50, 4)
        seen = terminal.shows("… 2 more", after=seen)
        terminal.shows("… 2 more", after=seen)
        screen = terminal.text[: terminal.text.rfind("\x1b[H")].rpartition("\x1b[H")[2]
        terminal.interrupt()
        assert terminal.ends() == 130
    lines = ESCAPE.sub("", screen).splitlines()
    assert [cell_len(line) for line in lines] == [50] * 4
    assert sum("A title" in line for line in ESCAPE.sub("", given_back(terminal)).splitlines()) == 4


def test_a_terminal_is_given_back_also_when_watching_is_ended_from_outside(specyard: Specyard, worker: Worker) -> None:
    with specyard.on_terminal("workers", "list", "--watch") as terminal:
        terminal.shows("running")
        terminal.process.terminate()
        assert terminal.ends() == 130
    given_back(terminal)


def test_a_terminal_that_cannot_be_drawn_anew_cannot_be_watched(specyard: Specyard, worker: Worker) -> None:
    with specyard.on_terminal("workers", "list", "--watch", TERM="dumb", columns=100) as terminal:
        assert terminal.ends() == 2
    assert "TERM says that this one cannot" in terminal.text


@pytest.mark.parametrize("group", ["queue", "nodes"])
def test_other_lists_are_watched_too(specyard: Specyard, node: Node, group: str) -> None:
    with specyard.on_terminal(group, "list", "--watch") as terminal:
        terminal.shows({"queue": "0 waiting", "nodes": "test-node"}[group])
        terminal.interrupt()
        assert terminal.ends() == 130


def test_watching_waits_for_a_server_that_is_away(remote: Specyard, web, worker: Worker) -> None:  # type: ignore[no-untyped-def]
    with remote.on_terminal("workers", "list", "--watch", columns=100) as terminal:
        terminal.shows("running")
        web.kill()
        seen = terminal.shows("\x1b[H\x1b[33mStale since")  # above all else: what does not fit is cut at the end
        web.start()
        Worker.objects.filter(pk=worker.pk).update(desired="stop")
        terminal.shows("stopping", after=seen)
        terminal.interrupt()
        assert terminal.ends() == 130


def test_watching_ends_when_there_is_nothing_to_wait_for(remote: Specyard) -> None:
    with remote.on_terminal("workers", "list", "--watch", SPECYARD_TOKEN="specyard_wrong") as terminal:
        assert terminal.ends() == 5


def test_a_pipe_cannot_be_watched(specyard: Specyard) -> None:
    done = specyard("workers", "list", "--watch")
    assert (done.code, done.out) == (2, "")
    assert "--watch needs a terminal" in done.err
    assert specyard("workers", "list", "--watch", "--json").code == 2


def test_a_pipe_may_have_a_width(specyard: Specyard, worker: Worker) -> None:
    done = specyard.good("workers", "list", COLUMNS="50")
    assert max(map(cell_len, done.out.splitlines())) <= 50


LISTS = ["workers list", "queue list --json", "config show", "workers cleanup --dry-run --json"]


@pytest.mark.parametrize("words", LISTS)
def test_a_reader_that_has_gone_is_no_defect(specyard: Specyard, worker: Worker, words: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        assert written_to(theirs, specyard, words) == (1, "")
    finally:
        os.close(theirs)


@pytest.mark.parametrize("words", [*LISTS, "--version"])
def test_a_full_disk_is_told_of(specyard: Specyard, worker: Worker, words: str) -> None:
    with open("/dev/full", "w") as full:
        code, told = written_to(full.fileno(), specyard, words)
    assert code == 1
    assert "No space left on device." in told
    assert "database" not in told


def written_to(descriptor: int, specyard: Specyard, words: str) -> tuple[int, str]:
    """The exit code of a command that writes there, and what it says of it."""
    command = [*SPECYARD, *words.split()]
    done = subprocess.run(
        command, env=dict(specyard.environment), stdout=descriptor, stderr=subprocess.PIPE, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_output_may_be_closed(specyard: Specyard, worker: Worker, closed: str) -> None:
    command = ["sh", "-c", f"{shlex.join([*SPECYARD, 'workers', 'list'])} {closed}"]
    done = subprocess.run(
        command, env=dict(specyard.environment), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", ["config show execution", "workers list"])
def test_a_terminal_with_few_characters_gets_the_others_written_out(
    specyard: Specyard, worker: Worker, words: str
) -> None:
    out = specyard.good(*words.split(), PYTHONIOENCODING="latin-1").out
    assert "\\u2013" in out or "\\u6f22" in out
