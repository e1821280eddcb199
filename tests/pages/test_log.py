"""The log of an attempt, read by byte offset."""

import pytest
from django.utils import timezone

from dashboard import logs
from workers.models import Attempt
from workers.states import AttemptStatus


@pytest.fixture
def attempt(running):
    made = Attempt.objects.create(chunk=running.chunks.first(), number=1, incarnation=1, started_at=timezone.now())
    made.log_path.parent.mkdir(parents=True, exist_ok=True)
    made.log_path.write_bytes(b"")
    return made


@pytest.fixture
def read(viewer, attempt):
    def call(offset=""):
        return viewer.get(f"/attempts/{attempt.pk}/log", {"offset": offset}).json()

    return call


def end(attempt):
    now = timezone.now()
    Attempt.objects.filter(pk=attempt.pk).update(status=AttemptStatus.PASSED, finished_at=now)


def append(attempt, content: bytes):
    with attempt.log_path.open("ab") as file:
        file.write(content)


def test_reading_goes_on_where_it_ended(read, attempt):
    append(attempt, b"one\n")
    first = read()
    assert (first["text"], first["complete"]) == ("one\n", False)
    append(attempt, b"two")
    assert read(first["offset"])["text"] == "two"


def test_an_ended_attempt_is_complete_at_the_end_of_its_file(read, attempt):
    append(attempt, b"all\n")
    end(attempt)
    assert read()["complete"]


def test_an_attempt_without_a_file_has_no_text(read, attempt):
    attempt.log_path.unlink()
    assert read() == {"offset": 0, "text": "", "skipped": 0, "size": 0, "more": False, "complete": False}
    end(attempt)
    assert read()["complete"]


def test_a_character_is_never_cut(read, attempt):
    append(attempt, "Grün".encode()[:3])
    first = read()
    assert first["text"] == "Gr"
    append(attempt, "Grün".encode()[3:])
    assert read(first["offset"])["text"] == "ün"


def test_half_a_character_at_the_end_of_an_ended_log_does_not_keep_the_page_asking(read, attempt):
    append(attempt, b"binary \xe2\x82")
    end(attempt)
    reply = read()
    assert reply["complete"]
    assert reply["offset"] == reply["size"]
    assert reply["text"].startswith("binary ")


def test_a_long_log_comes_in_blocks_of_whole_lines(read, attempt):
    content = b"".join(b"line %06d\n" % number for number in range(40_000))
    append(attempt, content)
    end(attempt)
    text, offset, blocks = "", 0, 0
    while True:
        reply = read(offset)
        assert reply["text"].endswith("\n")
        text, offset, blocks = text + reply["text"], reply["offset"], blocks + 1
        if reply["complete"]:
            break
        assert reply["more"]
    assert text.encode() == content
    assert blocks > 1


def test_a_line_longer_than_a_block_comes_in_pieces(read, attempt):
    content = ("ü" * logs.BLOCK).encode()
    append(attempt, content)
    end(attempt)
    text, offset = "", 0
    while True:
        reply = read(offset)
        assert reply["offset"] > offset
        text, offset = text + reply["text"], reply["offset"]
        if reply["complete"]:
            break
    assert text.encode() == content


def test_the_first_look_at_a_long_log_begins_near_its_end(read, attempt):
    append(attempt, b"".join(b"line %06d\n" % number for number in range(100_000)))
    reply = read()
    assert 0 < reply["skipped"] <= reply["size"] - logs.FIRST_LOOK + 64 * 1024
    assert reply["text"].startswith("line ")


@pytest.mark.parametrize("offset", ["x", "-5", "9" * 40, "1.5", "٣", "\x00"])
def test_a_strange_offset_is_answered(read, attempt, offset):
    append(attempt, b"one\n")
    assert read(offset)["text"] in ("one\n", "")


def test_an_offset_beyond_the_end_waits_there(read, attempt):
    append(attempt, b"one\n")
    assert read(1000) == {"offset": 4, "text": "", "skipped": 0, "size": 4, "more": False, "complete": False}


def test_the_raw_log_is_downloaded_under_a_telling_name(viewer, attempt):
    append(attempt, b"\x1b[31mred\x1b[0m\x00")
    response = viewer.get(f"/attempts/{attempt.pk}/log/raw")
    assert b"".join(response.streaming_content) == b"\x1b[31mred\x1b[0m\x00"
    assert response["Content-Type"].startswith("text/plain")
    assert f"worker-{attempt.chunk.worker_id}-chunk-1-attempt-1.log" in response["Content-Disposition"]
    response.close()


def test_a_log_that_was_never_written_cannot_be_downloaded(viewer, attempt):
    attempt.log_path.unlink()
    assert viewer.get(f"/attempts/{attempt.pk}/log/raw").status_code == 404
