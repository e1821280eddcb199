"""The conversation of an attempt, as its page asks for it."""

import random
import re

import pytest
from django.utils import timezone

from dashboard.pages import transcripts
from tests.pages.test_transcripts import KEYS, STRANGE
from tests.support import make
from tests.support.transcript import line, write
from workers.models import Attempt, Message, Question, WorkerChunk
from workers.states import AttemptStatus


@pytest.fixture
def worker(node):
    return make.agents_worker({}, {})


@pytest.fixture
def attempt(worker):
    made = Attempt.open(worker, worker.chunks.first())
    Attempt.objects.filter(pk=made.pk).update(profile="codex")
    made.transcript_path.unlink(missing_ok=True)  # of another test's attempt with the same number
    return made


@pytest.fixture
def read(viewer, attempt):
    def call(**query):
        response = viewer.get(f"/attempts/{attempt.pk}/conversation", query)
        assert response.status_code == 200
        return response.json()

    return call


@pytest.fixture
def tell(attempt):
    return lambda *lines: write(attempt.transcript_path, *lines)


def end(attempt):
    Attempt.objects.filter(pk=attempt.pk).update(status=AttemptStatus.PASSED, finished_at=timezone.now())


def test_a_worker_with_an_agent_has_the_tab_and_another_has_not(viewer, worker, running):
    tab = 'id="tab-conversation"'
    assert tab in viewer.get(f"/workers/{worker.pk}").content.decode()
    assert tab not in viewer.get(f"/workers/{running.pk}").content.decode()


def test_a_worker_that_only_reviews_by_an_agent_has_the_tab(viewer, node):
    worker = make.worker({"review": {"agent": {"profile": "claude"}}})
    assert 'id="tab-conversation"' in viewer.get(f"/workers/{worker.pk}").content.decode()


def test_the_page_opens_the_newest_attempt_or_the_one_that_was_asked_for(viewer, worker, attempt):
    newest = Attempt.open(worker, worker.chunks.last())
    assert f'data-attempt="{newest.pk}"' in viewer.get(f"/workers/{worker.pk}/conversation").content.decode()
    asked = viewer.get(f"/workers/{worker.pk}/conversation", {"attempt": attempt.pk}).content.decode()
    assert f'data-log data-attempt="{attempt.pk}"' in asked


def test_a_worker_without_any_attempt_has_the_page_too(viewer, worker):
    assert viewer.get(f"/workers/{worker.pk}/conversation").status_code == 200


def test_new_entries_are_added_and_grown_ones_are_replaced(read, tell):
    tell(line("text", id="1", text="Good "))
    first = read()
    assert '<hx-partial hx-target="#conversation" hx-swap="beforeend">' in first["html"]
    assert "<b>codex</b>" in first["html"]
    tell(line("text", id="1", text="**morning**"), line("note", text="and more"))
    second = read(offset=first["offset"], grows=first["grows"])
    assert '<hx-partial hx-target="#entry-0" hx-swap="outerMorph">' in second["html"]
    assert "Good <strong>morning</strong>" in second["html"]
    assert second["html"].count("and more") == 1
    assert (first["new"], second["new"]) == (1, 1)


def test_nothing_new_is_an_empty_reply(read, tell):
    tell(line("note", text="x"))
    first = read()
    again = read(offset=first["offset"], grows=first["grows"])
    assert (again["html"], again["new"], again["complete"], again["offset"]) == ("", 0, False, first["offset"])


def test_an_ended_attempt_is_complete_and_nothing_of_it_runs(read, tell, attempt):
    tell(line("tool", id="1", title="Build", status="in_progress"))
    first = read()
    assert "running" in first["html"]
    end(attempt)
    last = read(offset=first["offset"], grows=first["grows"], far=",".join(map(str, first["far"])))
    assert last["complete"]
    assert "not finished" in last["html"]
    assert "running" not in last["html"]
    assert "not finished" in read()["html"]


def test_an_attempt_without_a_transcript_has_nothing_to_say(read, attempt):
    assert read()["html"] == ""
    assert not read()["complete"]
    end(attempt)
    assert read()["complete"]


def test_earlier_entries_are_put_before(read, tell, monkeypatch):
    monkeypatch.setattr(transcripts, "MOST_ENTRIES", 2)
    tell(*(line("note", text=f"note {number}") for number in range(3)))
    first = read()
    assert first["earlier"] > 0
    earlier = read(before=first["earlier"])
    assert 'hx-swap="afterbegin"' in earlier["html"]
    assert "note 0" in earlier["html"]
    assert (earlier["earlier"], earlier["stale"]) == (0, [])


def test_everything_that_can_be_said_is_drawn(read, tell, worker, attempt):
    mira = Message.objects.create(worker=worker, text="Use tabs", by="mira")
    question = make.question(worker, text="")
    question.respond("once", "", "ines")
    edit = {"path": f"{worker.workspace}/a.py", "old": "1\n", "new": "2\n3\n"}
    tell(
        line("prompt", text="Do it"),
        line("thought", id="1", text="Let me see"),
        line("text", id="2", text="<b>Done</b>"),
        line(
            "plan", entries=[{"content": "Read", "status": "completed"}, {"content": "Write", "status": "in_progress"}]
        ),
        line("tool", id="t", title="Edit a.py", tool="edit", status="completed", diffs=[edit]),
        line(
            "tool", id="u", tool="execute", status="failed", input={"command": "make"}, output="\x1b[31mno rule\x1b[0m"
        ),
        line("asked", question=question.key, title="Run it", command="rm -r x", options=[make.ALLOW, make.DENY]),
        line("answered", question=question.key, option="once", by="person"),
        line("message", id=mira.pk, text="Use tabs"),
        line("note", text="Waits for the provider", level="warn"),
        line("usage", tokens_in=1, tokens_out=2, cost=None, currency="USD"),
        line("review", begins=True),
        line("review", verdict="fail", findings=[{"file": "a.py", "line": 2, "text": "is wrong"}]),
    )
    html = read()["html"]
    for part in (
        "sent by Specyard",
        "Let me see",
        "&lt;b&gt;Done&lt;/b&gt;",
        'href="#i-completed"/></svg><span>Read',
        '<tr class="edit-added"><td></td><td>2</td><td>3</td></tr>',
        '<span class="prompt-sign">$</span> make',
        "data-ansi",
        "rm -r x",
        "<b>ines</b> answered: Allow once",
        "<b>mira</b>",
        "Waits for the provider",
        "Review failed",
        "a.py:2 is wrong",
    ):
        assert part in html, part
    assert Question.objects.get().answered_by == "ines"


def test_who_answered_is_found_by_the_title_where_the_transcript_does_not_name_the_question(read, tell, worker):
    make.question(worker, title="Run it").respond("no", "", "ines")
    tell(line("asked", what="permission", title="Run it", text="execute"), line("answered", option="no", by="person"))
    html = read()["html"]
    assert "<b>ines</b> answered" in html
    assert "execute" not in html


def test_a_file_alone_is_no_title(read, tell):
    tell(line("tool", id="1", tool="edit", title="rules.ts"), line("tool", id="2", tool="edit", title="Patch it"))
    assert re.findall(r"(Edit rules.ts|Patch it|Edit Patch)", read()["html"]) == ["Edit rules.ts", "Patch it"]


def test_paths_below_the_workspace_are_told_as_paths_in_it(read, tell, worker):
    worker.prepared("/yard/w7", "b", "c")
    tell(line("tool", id="1", title="Read /yard/w7/src/a.py", input={"path": "/yard/w7/src/a.py"}))
    html = read()["html"]
    assert "Read src/a.py" in html
    assert "/yard/w7" not in html


def test_what_a_reviewer_says_is_told_from_what_the_agent_says(read, tell, attempt):
    WorkerChunk.objects.filter(pk=attempt.chunk_id).update(review={"agent": {"profile": "claude"}})
    Attempt.objects.filter(pk=attempt.pk).update(reviewed_at="2026-11-20T12:30:00Z")
    for minute in (10, 40):
        tell(line("text", id=str(minute), text="words", at=f"2026-11-20T12:{minute}:00Z"))
    assert re.findall(r"<b>(\w+)</b>", read()["html"]) == ["codex", "claude"]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_an_agent_writes_the_page_can_draw_it(read, tell, seed):
    chosen = random.Random(seed)
    kinds = ["prompt", "message", "text", "thought", "plan", "tool", "asked", "answered", "note", "review"]
    for _ in range(150):
        tell(line(chosen.choice(kinds), **{key: chosen.choice(STRANGE) for key in KEYS}))
    html = read()["html"]
    ids = re.findall(r'id="(entry-\d+)"', html)
    assert len(ids) > 50
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("value", ["x", "-5", "9" * 40, "1.5", "٣", "\x00"])
def test_strange_places_are_answered(read, tell, value):
    tell(line("note", text="here"))
    for query in ({"offset": value}, {"offset": value, "grows": value}, {"before": value}):
        assert "html" in read(**query)


def test_the_raw_transcript_is_downloaded_under_a_telling_name(viewer, tell, attempt):
    tell(line("note", text="x"))
    response = viewer.get(f"/attempts/{attempt.pk}/transcript")
    assert b"".join(response.streaming_content) == attempt.transcript_path.read_bytes()
    assert f"worker-{attempt.chunk.worker_id}-chunk-1-attempt-1.ndjson" in response["Content-Disposition"]
    response.close()


def test_a_transcript_that_was_never_written_cannot_be_downloaded(viewer, attempt):
    assert viewer.get(f"/attempts/{attempt.pk}/transcript").status_code == 404
