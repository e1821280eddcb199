"""The journal as a file: numbers, torn lines, full disks."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from workers.runner.journal import INDEX_STRIDE, Journal, JournalDamaged, read
from workers.runner.output import AttemptLog, plain


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Within: no file of this process grows beyond `size`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.ndjson"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path)
    yield journal
    journal.finish()


def test_entries_are_numbered_and_dated(journal: Journal, path: Path) -> None:
    journal.append("ready", pid=1)
    journal.append("ended")
    first, second = read(path)
    assert (first["n"], first["kind"], first["pid"], second["n"]) == (1, "ready", 1, 2)
    assert first["at"].endswith("Z")
    assert read(path, start=2) == [second]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_missing_journal_is_empty(path: Path) -> None:
    assert read(path) == []


@pytest.mark.parametrize("torn", [b'{"n":3,"at":"20', b'{"n":3}', b"\x00\x00\x00\n", b'{"n":3,"at\n', b"x" * 999])
def test_a_torn_last_line_is_left_out_and_numbering_goes_on(journal: Journal, path: Path, torn: bytes) -> None:
    journal.append("ready")
    journal.append("attached")
    with path.open("ab") as file:
        file.write(torn)
    assert [entry["n"] for entry in read(path)] == [1, 2]
    again = Journal(path)
    assert [entry["n"] for entry in again.recover()] == [1, 2]
    again.append("ready")
    again.finish()
    assert [(entry["n"], entry["kind"]) for entry in read(path)] == [(1, "ready"), (2, "attached"), (3, "ready")]
    assert path.read_bytes().endswith(b'"ready"}\n')


def test_damage_in_the_middle_is_an_error(path: Path) -> None:
    path.write_bytes(b'{"n":1}\nnonsense\n{"n":3}\n')
    with pytest.raises(JournalDamaged, match="line 2"):
        read(path)


def test_any_entry_is_found_by_its_number(journal: Journal) -> None:
    count = INDEX_STRIDE * 2 + 10
    offsets = []
    journal.on_append = lambda line, offset: offsets.append(offset)
    for number in range(count):
        journal.append("output", last="x" * (number % 300))
    assert [journal.offset_of(number) for number in range(1, count + 1)] == offsets
    assert journal.offset_of(count + 1) == journal.size
    again = Journal(journal.path)
    again.recover()
    assert [again.offset_of(number) for number in range(1, count + 1)] == offsets
    again.finish()


def test_blocks_are_whole_lines_whatever_their_size(journal: Journal) -> None:
    journal.append("output", last="x" * 1000)
    journal.append("ended")
    first = journal.block(0, size=10)
    assert first.endswith(b"\n")
    assert first + journal.block(len(first), size=10) == journal.path.read_bytes()
    assert journal.block(0).count(b"\n") == 2
    assert journal.block(journal.size) == b""


def test_entries_wait_in_order_for_a_full_disk(journal: Journal, path: Path) -> None:
    told: list[bytes] = []
    journal.on_append = lambda line, offset: told.append(line)
    journal.append("ready")
    with files_up_to(journal.size + 20):
        journal.append("started")
        journal.append("finished")
        assert journal.is_behind
        assert [entry["kind"] for entry in read(path)] == ["ready"]
        assert len(told) == 1
    assert journal.flush()
    assert [(entry["n"], entry["kind"]) for entry in read(path)] == [(1, "ready"), (2, "started"), (3, "finished")]
    assert len(told) == 3


def test_a_log_on_a_full_disk_counts_what_it_holds_and_says_so(tmp_path: Path) -> None:
    log = AttemptLog(str(tmp_path / "sub" / "1.log"))
    with files_up_to(8):
        log.write(b"one\ntwo\nthree\n")
    assert (log.size, log.lines) == (8, 2)
    assert log.error.startswith("The log is incomplete")
    assert log.last_line() == "three"
    log.close()


def test_lines_of_an_existing_log_count(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    path.write_bytes(b"one\ntwo")
    log = AttemptLog(str(path))
    assert (log.size, log.lines) == (7, 2)
    log.note("review")
    log.close()
    assert path.read_text() == "one\ntwo\n── review ──\n"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07after", "after"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"10%\r20%\r\ndone", "10%\n20%\ndone"),
        (b"a\x00b\x07c\xff", "abc�"),
    ],
)
def test_plain_text_has_no_escape_sequences_and_no_controls(raw: bytes, text: str) -> None:
    assert plain(raw) == text
