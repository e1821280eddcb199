"""Transcripts, folded into the entries of a conversation."""

import contextlib
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.pages import entries, transcripts
from dashboard.pages.entries import Asked, Entry, Note, Plan, Review, Speech, Thought
from dashboard.pages.tool_calls import Tool
from tests.support.transcript import line, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "1.ndjson"
    made.touch()
    return made


def told(path: Path, *lines: bytes) -> list[Entry]:
    write(path, *lines)
    return transcripts.newest(path).entries


def plan(*items: str) -> bytes:
    return line("plan", entries=[{"content": item, "status": "pending", "priority": "low"} for item in items])


def test_pieces_of_one_text_are_joined(path):
    (said,) = told(path, line("text", id="1", text="Good "), line("text", id="1", text="morning"))
    assert isinstance(said, Speech)
    assert said.text == "Good morning"


BETWEEN = {"text": {"id": "2"}, "thought": {"id": "1"}, "plan": {"entries": []}, "asked": {}, "note": {}}


@pytest.mark.parametrize("kind", BETWEEN)
def test_what_the_agent_says_after_something_else_stands_after_it(path, kind):
    between = line(kind, **BETWEEN[kind])
    one, _, two = told(path, line("text", id="1", text="a"), between, line("text", id="1", text="c"))
    assert (one.text, two.text) == ("a", "c")


def test_words_stand_the_same_whether_what_was_between_is_seen_whole_or_not(path):
    asked = line("asked", question="b")
    said = [line("text", id="1", text=text) for text in "abc"]
    write(path, asked, *said[:2], line("answered", question="b", by="person"), said[2])
    whole, cut = transcripts.newest(path).entries, transcripts.onwards(path, len(asked), len(asked)).entries
    texts = [[entry.text for entry in found if isinstance(entry, Speech)] for found in (whole, cut)]
    assert texts == [["ab", "c"], ["ab", "c"]]


def test_thoughts_are_no_words(path):
    thought, words = told(path, line("thought", id="1", text="Hm"), line("text", id="1", text="Yes"))
    assert isinstance(thought, Thought)
    assert not isinstance(words, Thought)


def test_news_of_a_tool_call_replace_what_they_name(path):
    begun = line("tool", id="t", title="Run", status="in_progress", input={"command": "make"})
    (call,) = told(path, begun, line("tool", id="t", status="completed", output="done"))
    assert isinstance(call, Tool)
    assert (call.title, call.command, call.output, call.look.word) == ("Run", "make", "done", "done")


def test_a_plan_is_the_newest_of_its_turn(path):
    first, _, second = told(path, plan("a"), plan("a", "b"), line("prompt", text="go on"), plan("c"))
    assert isinstance(first, Plan)
    assert [text for _, _, text in first.items] == ["a", "b"]
    assert [text for _, _, text in second.items] == ["c"]


def test_a_plan_after_one_that_was_carried_out_is_another(path):
    done = plan("a").replace(b'"pending"', b'"completed"')
    first, second = told(path, plan("a"), done, plan("b"))
    assert [[item[::2] for item in one.items] for one in (first, second)] == [[("completed", "a")], [("starting", "b")]]


def test_what_people_said_is_not_told_again_as_ours(path):
    lines = [line("message", id=1, text="Use tabs"), line("message", id=2, text="Be quick")]
    _, _, prompt = told(path, *lines, line("prompt", text="Use tabs\n\nBe quick\n\nGo on."))
    assert prompt.text == "Go on."
    (*_, prompt) = told(path, *lines, line("prompt", text="Use tabs\n\nBe quick"))
    assert prompt.is_empty


def test_ids_may_be_used_again_in_the_next_turn(path):
    found = told(path, line("tool", id="1", title="a"), line("prompt", text="more"), line("tool", id="1", title="b"))
    assert [one.title for one in found if isinstance(one, Tool)] == ["a", "b"]


def test_a_call_that_its_turn_ended_upon_runs_no_longer(path):
    call, _ = told(path, line("tool", id="1", title="a", status="in_progress"), line("prompt", text="go on"))
    assert call.look.word == "not finished"


def test_an_answer_goes_to_the_question_of_its_name(path):
    asked = [line("asked", question=name, title=name, options=[{"id": "y", "name": "Yes"}]) for name in "ab"]
    a, b = told(path, *asked, line("answered", question="a", option="y", text="but slowly", by="person"))
    assert isinstance(a, Asked)
    assert (a.answer, a.by, b.by) == ("Yes: but slowly", "person", "")


def test_an_answer_without_a_name_goes_to_the_last_question_that_waits(path):
    asked = [line("asked", title=name, options=[]) for name in "ab"]
    a, b = told(path, *asked, line("answered", text="so", by="person"))
    assert (a.by, b.by) == ("", "person")


def test_an_answer_whose_question_is_not_in_sight_goes_to_no_other(path):
    gone, waits = line("asked", question="a", title="a"), line("asked", question="b", title="b")
    write(path, gone, waits, line("answered", question="a", option="y", by="person"))
    waiting, answer = transcripts.onwards(path, len(gone), len(gone)).entries
    assert isinstance(waiting, Asked)
    assert (waiting.title, waiting.by, waiting.may_grow) == ("b", "", True)
    assert isinstance(answer, Asked)
    assert answer.by == "person"


def test_a_verdict_lists_what_was_found(path):
    findings = ["plain", {"file": "a.py", "line": 3, "text": "wrong"}, 7]
    begins, verdict = told(path, line("review", begins=True), line("review", verdict="fail", findings=findings))
    assert isinstance(begins, Review)
    assert begins.verdict == ""
    assert verdict.findings == ["plain", "a.py:3 wrong", "7"]


def test_how_long_a_call_took_is_known_from_its_lines(path):
    lines = [("in_progress", "00:00.250"), ("completed", "00:04.150")]
    calls = [line("tool", id="1", status=status, at=f"2026-11-20T12:{at}Z") for status, at in lines]
    (found,) = told(path, *calls)
    assert found.took == "3.9s"


def test_what_a_progress_bar_drew_over_is_gone(path):
    (call,) = told(path, line("tool", id="1", output="10 %\r50 %\r100 %\ndone\r\n"))
    assert call.output == "100 %\ndone"


def test_a_long_line_of_output_is_read_at_once(path):
    begun = time.process_time()
    (call,) = told(path, line("tool", id="1", output="x" * 2_000_000))
    assert len(call.output) < 100_000
    assert time.process_time() - begun < 1


def test_long_texts_and_outputs_are_cut_and_say_by_how_much(path):
    text, call = told(path, line("text", id="1", text="x" * 50_000), line("tool", id="1", output="a" * 50_000 + "end"))
    assert (len(text.text), text.hidden) == (entries.MOST_TEXT, 50_000 - entries.MOST_TEXT)
    assert call.output.endswith("end")
    assert len(call.output) + call.hidden == 50_003


# What is not as it should be.


def test_a_line_that_is_still_being_written_is_left_for_the_next_look(path):
    whole = line("text", id="1", text="grün")
    write(path, whole, whole[:-10])
    part = transcripts.newest(path)
    assert (part.entries[0].text, part.offset, part.more) == ("grün", len(whole), False)
    write(path, whole[-10:])
    (grown,) = transcripts.onwards(path, part.offset, part.grows).entries
    assert grown.text == "grüngrün"


def test_lines_that_are_no_entries_are_passed_over(path):
    garbage = [b"\n", b"nonsense\n", b"[1]\n", b"null\n", b"\xff\xfe\n", b'{"kind": {}}\n', b'{"kind": "unheard-of"}\n']
    (said,) = told(
        path, *garbage, b"[" * 100_000 + b"\n", b'{"at": 1' + b"9" * 5000 + b"}\n", line("text", text="here")
    )
    assert said.text == "here"


STRANGE: list[Any] = [
    None,
    True,
    7,
    -1.5,
    "",
    "text\x00\ud800",
    [],
    [[]],
    [None, 7, {}],
    {},
    {"a": {"b": []}},
    "x" * 999,
]
KEYS = ("id", "text", "entries", "title", "tool", "status", "input", "output", "diffs", "locations", "command")
KEYS += ("question", "option", "options", "by", "level", "verdict", "findings")


@pytest.mark.parametrize("kind", ["prompt", "message", "text", "plan", "tool", "asked", "answered", "note", "review"])
def test_values_of_any_type_can_be_drawn(path, kind):
    chosen = random.Random(kind)
    for _ in range(60):
        write(path, line(kind, **{key: chosen.choice(STRANGE) for key in [*KEYS, "at"]}))
    for entry in transcripts.newest(path).entries:
        drawn = [getattr(entry, name) for name in dir(type(entry)) if not name.startswith("_")]
        assert drawn
        json.dumps([one for one in drawn if isinstance(one, str | list)], default=str).encode()


def test_a_line_that_is_much_too_long_is_left_out_with_a_note(path, monkeypatch):
    monkeypatch.setattr(transcripts, "LONGEST_LINE", 1000)
    note, said = told(path, line("text", text="x" * 5000), line("text", text="short"))
    assert isinstance(note, Note)
    assert "left out" in note.text
    assert said.text == "short"


def test_a_missing_file_is_an_error_of_its_own(tmp_path):
    for read in (
        transcripts.newest,
        lambda path: transcripts.onwards(path, 0, 0),
        lambda path: transcripts.before(path, 9),
    ):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "none")


# Reading on, and reading back.


def story(count: int, seed: int) -> list[bytes]:
    """Lines as an agent at work writes them."""
    chosen, running, waiting = random.Random(seed), list[str](), list[str]()
    made: list[bytes] = []
    for number in range(count):
        match chosen.randrange(9):
            case 0:
                made += [line("text", id=str(number), text=f"word {n} ") for n in range(chosen.randrange(1, 6))]
            case 1:
                made += [line("thought", id=str(number), text="hm ")] * 2
            case 2:
                running.append(str(number))
                made.append(line("tool", id=str(number), title="slow", status="in_progress"))
            case 3 if running:
                made.append(line("tool", id=chosen.choice(running), output="so far"))
            case 4 if running:
                ended = running.pop(chosen.randrange(len(running)))
                made.append(line("tool", id=ended, output="all", status=chosen.choice(["completed", "failed"])))
            case 5:
                made += [line("text", id=f"p{number}", text="first "), plan(*map(str, range(number % 4)))]
                made.append(line("text", id=f"p{number}", text="then"))
            case 6:
                waiting.append(str(number))
                made.append(line("asked", question=str(number), title="?"))
            case 7 if waiting:
                answered = waiting.pop(chosen.randrange(len(waiting)))
                made.append(line("answered", question=answered, by="person"))
            case 8 if number % 3 == 0:
                running.clear()
                waiting.clear()
                made.append(line("prompt", text=f"go on {number}"))
            case _:
                made.append(line("note", text=str(number)))
    return made


class Page:
    """What a page shows of a transcript that grows while it looks."""

    def __init__(self) -> None:
        self.shown: dict[int, str] = {}
        self.offset = self.grows = 0
        self.far: list[int] = []

    def read(self, path: Path, *, ended: bool = False) -> bool:
        part = transcripts.onwards(path, self.offset, self.grows, self.far, ended=ended)
        for entry in part.entries:
            assert entry.begins >= self.offset or entry.begins in self.shown, "news of what the page does not have"
            self.shown[entry.begins] = drawn(entry)
        self.offset, self.grows, self.far = part.offset, part.grows, part.far
        return part.more


def drawn(entry: Entry) -> str:
    """Everything that makes up how the entry looks."""
    facts = {key: value for key, value in vars(entry).items() if key not in ("lines", "settled", "is_over")}
    waits = entry.may_grow and not isinstance(entry, Speech | Plan)
    return f"{type(entry).__name__} {facts} {waits}"


@pytest.mark.parametrize("lookback", [transcripts.LOOKBACK, 200])
@pytest.mark.parametrize("seed", range(8))
def test_a_page_that_reads_on_shows_in_the_end_what_a_new_page_shows(path, monkeypatch, seed, lookback):
    monkeypatch.setattr(transcripts, "LOOKBACK", lookback)
    lines, page, chosen = story(150, seed), Page(), random.Random(seed)
    content = b"".join(lines)
    while content:
        size = chosen.randrange(1, 900)
        write(path, content[:size])
        content = content[size:]
        while page.read(path):
            pass
    monkeypatch.setattr(transcripts, "MOST_ENTRIES", 10_000)
    assert page.shown == {entry.begins: drawn(entry) for entry in transcripts.newest(path).entries}


def test_news_come_in_replies_of_a_bounded_size(path, monkeypatch):
    monkeypatch.setattr(transcripts, "MOST_ENTRIES", 10)
    write(path, *(line("note", text=str(number)) for number in range(35)))
    page, replies = Page(), 1
    while page.read(path):
        replies += 1
    assert (len(page.shown), replies) == (35, 4)


def test_the_first_look_at_a_long_transcript_begins_near_its_end_and_leads_back_to_its_start(path, monkeypatch):
    monkeypatch.setattr(transcripts, "WINDOW", 2000)
    lines = [line("note", text=f"note {number}") for number in range(100)]
    write(path, *lines)
    part = transcripts.newest(path)
    found = [entry.text for entry in part.entries]
    assert 0 < len(found) < 40
    while part.earlier:
        part = transcripts.before(path, part.earlier)
        assert part.stale == []
        found = [entry.text for entry in part.entries] + found
    assert found == [f"note {number}" for number in range(100)]


@pytest.mark.parametrize("rest", [b"", b'{"kind": "note", "text": "half' * 9])
def test_a_line_longer_than_a_look_hides_nothing(path, monkeypatch, rest):
    monkeypatch.setattr(transcripts, "WINDOW", 100)
    lines = [line("note", text="short"), line("note", text="x" * 5000), line("note", text="y" * 3000)]
    write(path, *lines, rest)
    part = transcripts.newest(path)
    found = [entry.text for entry in part.entries]
    while part.earlier:
        before, part = part.earlier, transcripts.before(path, part.earlier)
        assert part.earlier < before
        found = [entry.text for entry in part.entries] + found
    assert [text[0] for text in found] == ["s", "x", "y"]


def test_what_the_first_look_cut_through_is_whole_when_the_page_reads_back(path, monkeypatch):
    monkeypatch.setattr(transcripts, "WINDOW", 1000)
    write(path, line("prompt", text="do"), *(line("text", id="1", text=f"{number} ") for number in range(20)))
    first = transcripts.newest(path)
    (half,) = first.entries
    assert not half.text.startswith("0 ")
    earlier = transcripts.before(path, first.earlier)
    assert earlier.stale == [half.begins]
    assert earlier.entries[-1].text == "".join(f"{number} " for number in range(20))


def test_of_many_short_entries_only_the_last_are_shown_at_first(path, monkeypatch):
    monkeypatch.setattr(transcripts, "MOST_ENTRIES", 5)
    write(path, *(line("note", text=str(number)) for number in range(12)))
    part = transcripts.newest(path)
    assert [entry.text for entry in part.entries] == ["7", "8", "9", "10", "11"]
    part = transcripts.before(path, part.earlier)
    assert [entry.text for entry in part.entries] == ["2", "3", "4", "5", "6"]
    assert [entry.text for entry in transcripts.before(path, part.earlier).entries] == ["0", "1"]


def test_what_was_under_way_when_the_attempt_ended_is_told_once_more(path):
    write(path, line("tool", id="1", title="Build", status="in_progress"))
    part = transcripts.newest(path)
    assert transcripts.onwards(path, part.offset, part.grows, part.far).entries == []
    (call,) = transcripts.onwards(path, part.offset, part.grows, part.far, ended=True).entries
    assert call.title == "Build"


@pytest.mark.parametrize("offset, grows", [(10**9, 0), (10**9, 10**9), (3, 900), (7, 3), (0, 10**9)])
def test_places_that_never_were_do_no_harm(path, offset, grows):
    write(path, line("text", id="1", text="a"), line("note", text="b"))
    transcripts.onwards(path, offset, grows)
    transcripts.before(path, offset)


# What began long before it ended.


BEGUN = line("tool", id="slow", title="Build", status="in_progress", input={"command": "make"})
ENDED = line("tool", id="slow", status="completed", output="all built")


def megabytes(count: int) -> list[bytes]:
    """That much of other things in between."""
    return [line("tool", id=f"x{n}", title="Read", status="completed", output="x" * 100_000) for n in range(count * 10)]


def test_a_call_that_began_megabytes_earlier_ends_on_a_page_that_has_read_on(path):
    page = Page()
    for content in ([BEGUN], megabytes(3), [line("tool", id="slow", output="half built")], megabytes(3), [ENDED]):
        write(path, *content)
        while page.read(path):
            pass
    assert "'completed'" in page.shown[0]
    assert "all built" in page.shown[0]
    assert len(page.shown) == 61
    assert page.far == []


def test_a_call_that_began_megabytes_earlier_is_over_when_its_attempt_is(path):
    page = Page()
    for content in ([BEGUN], megabytes(3)):
        write(path, *content)
        while page.read(path):
            pass
    part = transcripts.onwards(path, page.offset, page.grows, page.far, ended=True)
    assert [entry.title for entry in part.entries] == ["Build"]


class Watched:
    """The path of a file that counts what is read of it."""

    def __init__(self, path: Path) -> None:
        self.path, self.bytes = path, 0

    @contextlib.contextmanager
    def open(self, mode: str) -> Iterator["Watched"]:
        with self.path.open(mode) as self.file:
            yield self

    def readline(self, size: int) -> bytes:
        found: bytes = self.file.readline(size)
        self.bytes += len(found)
        return found

    def seek(self, *place: int) -> int:
        return self.file.seek(*place)


PLANS = [plan("a"), *[line("plan", entries=[{"content": "x" * 1000, "status": "pending"}])] * 600]


@pytest.mark.parametrize("under_way", [[BEGUN], PLANS, [line("asked", question="q", title="?")]], ids=len)
def test_what_never_ends_does_not_have_everything_after_it_read_again(path, under_way):
    page = Page()
    write(path, *under_way, *megabytes(1))
    while page.read(path):
        pass
    write(path, line("note", text="news"))
    for read in (transcripts.onwards, transcripts.since):
        watched = Watched(path)
        read(watched, page.offset, page.grows, page.far)
        assert 0 < watched.bytes < 5000


def test_a_page_that_reads_back_to_a_call_knows_of_its_end_and_shows_no_half_of_it(path):
    write(path, BEGUN, *megabytes(3), ENDED)
    part = transcripts.newest(path)
    half = part.entries[-1]
    stale: list[int] = []
    while part.earlier:
        part = transcripts.before(path, part.earlier)
        stale += part.stale
    assert (part.entries[0].title, part.entries[0].look.word) == ("Build", "done")
    assert stale == [half.begins]


@pytest.mark.parametrize("seed", range(6))
def test_from_every_place_to_which_a_page_was_read_back_it_reads_on_the_same(path, monkeypatch, seed):
    monkeypatch.setattr(transcripts, "MOST_ENTRIES", 1000)
    write(path, *story(150, seed))
    whole = {entry.begins: drawn(entry) for entry in transcripts.onwards(path, 0, 0).entries}
    monkeypatch.setattr(transcripts, "WINDOW", 1500)
    monkeypatch.setattr(transcripts, "LOOKBACK", 400)
    part, marks = transcripts.newest(path), list[transcripts.Part]()
    while part.earlier:
        part = transcripts.before(path, part.earlier)
        for mark in marks:  # as the page does
            mark.far += part.far
            mark.grows = part.grows if mark.grows in part.stale else mark.grows
        marks.append(part)
    for mark in marks:
        page = Page()
        page.shown = {begins: text for begins, text in whole.items() if begins < mark.offset}
        page.offset, page.grows, page.far = mark.offset, mark.grows, mark.far
        while page.read(path):
            pass
        assert page.shown == whole
    assert len(marks) > 5


@pytest.mark.parametrize("words", [ENDED, line("prompt", text="go on")], ids=["its end", "the next turn"])
def test_what_is_under_way_in_a_part_that_stands_still_comes_to_its_end_there_too(path, words):
    write(path, BEGUN, line("note", text="here it stands still"))
    part = transcripts.newest(path)
    write(path, line("tool", id="other", title="Later"), *megabytes(1))
    assert transcripts.since(path, part.offset, part.grows, part.far).entries == []
    write(path, words)
    now = transcripts.since(path, part.offset, part.grows, part.far)
    assert [(entry.title, entry.look.word == "running") for entry in now.entries] == [("Build", False)]
    assert (now.offset, now.grows, now.more) == (part.offset, part.grows, True)
