"""What attempts wrote, asked and were told, for programs."""

from pathlib import Path

import pytest

from tests.api.conftest import Call, caller
from tests.pages.test_changes import source, worker
from tests.support import make
from workers.models import Attempt, Node, Question, Worker
from workers.states import AttemptStatus, ChunkOutcome

__all__ = ["source", "worker"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def attempt(running: Worker) -> Attempt:
    """A running attempt that has written two lines and begins a third."""
    found = Attempt.open(running, running.chunks.get(ordinal=1))
    found.log_path.parent.mkdir(parents=True, exist_ok=True)
    found.log_path.write_bytes("one\ntwo ü\nthr".encode())
    return found


def test_a_log_is_read_as_a_whole(call: Call, attempt: Attempt) -> None:
    reply = call("get", f"/attempts/{attempt.pk}/log")
    assert reply["Content-Type"] == "text/plain; charset=utf-8"
    assert b"".join(reply.streaming_content) == "one\ntwo ü\nthr".encode()


def test_a_log_is_followed_by_its_offset(call: Call, attempt: Attempt, running: Worker) -> None:
    first = call("get", f"/attempts/{attempt.pk}/log", offset=4)
    assert first.content == "two ü\nthr".encode()
    assert (first["Specyard-Offset"], first["Specyard-Size"], first["Specyard-Complete"]) == ("14", "14", "false")
    with attempt.log_path.open("ab") as log:
        log.write(b"ee\n")
    attempt.close(running, AttemptStatus.PASSED, ChunkOutcome.PASSED)
    second = call("get", f"/attempts/{attempt.pk}/log", offset=int(first["Specyard-Offset"]))
    assert (second.content, second["Specyard-Complete"]) == (b"ee\n", "true")
    assert call("get", f"/attempts/{attempt.pk}/log", offset=10**15).content == b""
    assert call("get", f"/attempts/{attempt.pk}/log", offset=-1).content.endswith(b"three\n")


@pytest.mark.parametrize("offset", ["-2", "x", "9" * 30, "1.5", "NaN"])
def test_an_offset_that_is_none_is_refused(call: Call, attempt: Attempt, offset: str) -> None:
    reply = call("get", f"/attempts/{attempt.pk}/log", offset=offset)
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "offset")


def test_what_was_never_written_is_not_found(call: Call, attempt: Attempt) -> None:
    attempt.log_path.unlink()
    assert call("get", f"/attempts/{attempt.pk}/log").status_code == 404
    reply = call("get", f"/attempts/{attempt.pk}/transcript")
    assert (reply.status_code, reply.json()["detail"]) == (404, f"No agent has worked on attempt {attempt.pk}.")
    attempt.transcript_path.write_text('{"kind": "said"}\n')
    assert call("get", f"/attempts/{attempt.pk}/transcript", offset=0).content == b'{"kind": "said"}\n'


def test_what_an_attempt_committed_is_a_patch(call: Call, worker: Worker, source: Path) -> None:
    chunk = worker.chunks.get(ordinal=2)
    facts = {"incarnation": 1, "started_at": worker.created_at, "finished_at": worker.created_at}
    failed = Attempt.objects.create(chunk=chunk, number=8, status=AttemptStatus.FAILED, **facts)
    passed = Attempt.objects.create(chunk=chunk, number=9, status=AttemptStatus.PASSED, **facts)
    patch = b"".join(call("get", f"/attempts/{passed.pk}/diff").streaming_content)
    assert patch == b"".join(call("get", f"/workers/{worker.pk}/diff", chunk=2).streaming_content)
    reply = call("get", f"/attempts/{failed.pk}/diff")
    assert (reply.status_code, reply.json()["detail"]) == (404, f"Attempt {failed.pk} has committed nothing.")


def test_a_question_is_listed_and_answered(call: Call, admin, node: Node) -> None:
    question = make.question()
    [shown] = call("get", f"/workers/{question.worker_id}/questions", open="true").json()["items"]
    assert (shown["id"], shown["kind"], shown["is_open"]) == (question.pk, "permission", True)
    assert [option["id"] for option in shown["options"]] == ["once", "no"]
    path = f"/questions/{question.pk}/answer"
    assert call("post", path, {"option": "nonsense"}).status_code == 422
    for _ in range(2):
        reply = call("post", path, {"option": "once"})
        assert (reply.status_code, reply.json()["answered_by"], reply.json()["is_open"]) == (200, "mira", False)
    other = caller(admin)("post", path, {"option": "no"})
    assert (other.status_code, other.json()["current"]) == (409, "answered")
    assert call("get", f"/workers/{question.worker_id}/questions", open="true").json()["items"] == []
    assert Question.objects.get().option == "once"


def test_an_agent_is_told_something(call: Call, node: Node) -> None:
    worker = make.agents_worker()
    Attempt.open(worker, worker.chunks.get())
    reply = call("post", f"/workers/{worker.pk}/messages", {"text": "Keep the name.", "now": True})
    assert (reply.status_code, reply.json()["by"], reply.json()["now"]) == (201, "mira", True)
    assert call("get", f"/workers/{worker.pk}/messages").json()["items"] == [reply.json()]
    assert call("post", f"/workers/{worker.pk}/messages", {"text": "   "}).status_code == 422


def test_nobody_hears_what_no_agent_is_told(call: Call, running: Worker) -> None:
    running.completed()
    reply = call("post", f"/workers/{running.pk}/messages", {"text": "Hello?"})
    assert (reply.status_code, reply.json()["current"]) == (409, "completed")
