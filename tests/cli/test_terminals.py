"""What is seen on terminals: tables that fit, colours, and a table that is drawn anew until Ctrl-C."""

import os
import re
import shlex
import subprocess

import pytest
from rich.cells import cell_len

from tests.cli.support import Specyard
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
    assert terminal.text.rstrip().endswith("Interrupted.")
    assert "Traceback" not in terminal.text
    assert terminal.text.rfind("\x1b[?25h") > terminal.text.rfind("\x1b[?25l")  # the cursor is back


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
        seen = terminal.shows("Stale since")
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
