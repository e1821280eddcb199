"""`specyard workers` on the local database: what is listed, shown and asked."""

import json
import os
import pwd

import pytest

from dashboard.models import AuditEntry
from tests.cli.support import InProcess
from tests.support import make
from tests.support.driving import aged, now
from workers.models import Attempt, Event, Node, Worker

HOSTILE = "[bold red]cut[/] \x1b]0;evil\x07\x1b[2J\u202ereversed\x9b1m\nsecond line"


def ended(worker: Worker) -> Worker:
    worker.stopped("mira")
    return now(worker)


def claimed(worker: Worker) -> Worker:
    found = Worker.claim(worker.pk, worker.epoch)
    assert found
    return found


@pytest.fixture
def three(node: Node) -> list[Worker]:
    """One that has been accepted, one that runs, one that has ended."""
    accepted, running, over = (make.worker(title=f"Spec {name}") for name in ("one", "two", "three"))
    return [accepted, claimed(running), ended(over)]


def ids(found: dict[str, list[dict[str, int]]]) -> list[int]:
    return [item["id"] for item in found["items"]]


def test_a_list_is_what_the_api_says(command: InProcess, three: list[Worker]) -> None:
    document = command.good("workers", "list", "--json").document
    assert ids(document) == [worker.pk for worker in three]
    assert document["next"] is None
    first = document["items"][0]
    assert (first["status"], first["project"]["name"], first["progress"]["total"]) == (
        "idle",
        three[0].project.name,
        1,
    )


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--status", "idle", "--status", "stopped"], [0, 2]),
        (["--status", "running"], [1]),
        (["--limit", "2"], [0, 1]),
        (["--limit", "2", "--all"], [0, 1, 2]),
        (["--attention"], []),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_a_list_can_be_narrowed(command: InProcess, three: list[Worker], words: list[str], wanted: list[int]) -> None:
    found = command.good("workers", "list", "--json", *words).document
    assert ids(found) == [three[at].pk for at in wanted]


def test_a_project_is_called_by_its_name_or_number(command: InProcess, three: list[Worker]) -> None:
    project = three[1].project
    for word in (project.name, project.pk):
        assert ids(command.good("workers", "list", "--json", "--project", word).document) == [three[1].pk]
    missing = command("workers", "list", "--project", "mill")
    assert (missing.code, missing.out) == (3, "")
    assert 'There is no project "mill". Known: ' in missing.err


def test_a_long_list_is_fetched_page_by_page(command: InProcess, node: Node) -> None:
    spec = make.spec()
    made = [make.worker(spec=spec, slot=number) for number in range(1)]
    first = ended(made[0])
    for _ in range(204):
        Worker.objects.create(
            **{
                field.attname: getattr(first, field.attname)
                for field in Worker._meta.concrete_fields
                if not field.primary_key
            }
        )
    assert len(command.good("workers", "list", "--all", "--json").document["items"]) == 205
    some = command.good("workers", "list", "--limit", "201", "--json").document
    assert (len(some["items"]), some["next"] is None) == (201, False)
    assert "There are more" in command.good("workers", "list", "--limit", "3").err


def test_a_table_is_plain_and_whole_in_a_pipe(command: InProcess, three: list[Worker]) -> None:
    Worker.objects.filter(pk=three[0].pk).update(title="x" * 150)
    done = command.good("workers", "list")
    head, first, *_ = done.out.splitlines()
    assert head.split() == ["ID", "STATUS", "PROJECT", "SPEC", "DONE", "TIME", "NODE"]
    assert "x" * 150 in first
    assert "\x1b" not in done.out
    assert all(line == line.rstrip() for line in done.out.splitlines())


def test_nothing_in_a_text_is_obeyed(command: InProcess, node: Node) -> None:
    worker = make.worker()
    Worker.objects.filter(pk=worker.pk).update(title=HOSTILE, last_line=HOSTILE, error=HOSTILE)
    shown = "[bold red]cut[/] ␛]0;evil␇␛[2J\\u202ereversed\\x9b1m␊second line"
    for words in (["list"], ["show", str(worker.pk)]):
        done = command.good("workers", *words)
        assert shown in done.out
        assert not set(done.out) & set("\x1b\x07\x9b\u202e")
        raw = command.good("workers", *words, "--json")
        assert raw.out.isascii()
        assert not set(raw.out) & set("\x1b\x07")


def test_a_terminal_that_knows_only_ascii_gets_what_it_can_show(command: InProcess, node: Node) -> None:
    worker = make.worker()
    Worker.objects.filter(pk=worker.pk).update(title="Größe ✓")
    done = command.good("workers", "list", PYTHONIOENCODING="ascii")
    assert "Gr\\xf6\\xdfe \\u2713" in done.out


def test_an_empty_list_says_so(command: InProcess) -> None:
    assert command.good("workers", "list").out == "No workers.\n"
    assert command.good("workers", "list", "--json").document == {"items": [], "next": None}


def test_one_worker_is_shown_with_chunks_and_attempts(command: InProcess, node: Node) -> None:
    worker = claimed(make.worker("true", "false"))
    Attempt.open(worker, worker.chunks.order_by("ordinal")[0])
    document = command.good("workers", "show", worker.pk, "--json").document
    assert [chunk["outcome"] for chunk in document["chunks"]] == ["running", "pending"]
    assert [attempt["number"] for attempt in document["attempts"]] == [1]
    out = command.good("workers", "show", worker.pk).out
    assert f"Worker {worker.pk}: {worker.title}" in out
    assert "Chunk 2" in out


@pytest.mark.parametrize("number", [0, -1, 2**63, "x", "1.5"])
def test_what_is_no_number_of_a_worker_is_wrong_usage(command: InProcess, number: object) -> None:
    assert command("workers", "show", "--", str(number)).code == 2


def test_what_is_not_there(command: InProcess) -> None:
    shown = command("workers", "show", 4711)
    assert (shown.code, shown.out, shown.err) == (3, "", "\nspecyard: There is no worker 4711.\n")
    problem = command("workers", "show", 4711, "--json").problem
    assert (problem["status"], problem["type"]) == (404, "urn:specyard:problem:not-found")


def test_several_are_asked_at_once_and_each_answers(command: InProcess, three: list[Worker]) -> None:
    accepted, running, over = three
    done = command("workers", "pause", accepted.pk, running.pk, over.pk, 4711)
    assert done.code == 4
    assert done.out == f"Worker {accepted.pk} is asked to pause.\nWorker {running.pk} is asked to pause.\n"
    assert f"Worker {over.pk} has already ended." in done.err
    assert "There is no worker 4711." in done.err
    assert [now(worker).desired for worker in three] == ["pause", "pause", "run"]


def test_the_first_that_has_not_worked_decides_the_exit_code(command: InProcess, three: list[Worker]) -> None:
    over = three[2].pk
    assert command("workers", "stop", 4711, over).code == 3
    assert command("workers", "stop", over, 4711).code == 4


def test_all_active_workers_are_asked(command: InProcess, three: list[Worker]) -> None:
    document = command.good("workers", "pause", "--all", "--json").document
    assert (document["done"], [result["id"] for result in document["results"]]) == (2, [three[0].pk, three[1].pk])
    assert command.good("workers", "resume", "--all").code == 0
    assert now(three[1]).desired == "run"
    Worker.objects.filter(pk=three[1].pk).update(desired="stop")
    assert command("workers", "pause", "--all").code == 0  # one that ends anyhow is no failure


@pytest.mark.parametrize("words", [[], ["1", "--all"]])
def test_either_numbers_or_all(command: InProcess, words: list[str]) -> None:
    done = command("workers", "stop", *words)
    assert (done.code, "Give the numbers of workers, or --all." in done.err) == (2, True)


def test_what_is_asked_is_recorded_as_done_on_the_command_line(command: InProcess, three: list[Worker]) -> None:
    command.good("workers", "pause", three[1].pk)
    (entry,) = AuditEntry.objects.filter(action="worker.pause")
    assert (entry.source, entry.target_id) == ("cli", three[1].pk)
    assert entry.actor == pwd.getpwuid(os.getuid()).pw_name  # whose command it was
    assert now(three[1]).desired_by != ""  # by whose account
    assert Event.objects.filter(worker_id=three[1].pk, data__desired="pause").exists()


def test_reading_writes_nothing(command: InProcess, three: list[Worker]) -> None:
    from django.contrib.auth.models import User

    before = Event.objects.count(), AuditEntry.objects.count(), User.objects.count()
    command.good("workers", "list")
    command.good("workers", "show", three[0].pk)
    command.good("queue", "list")
    assert (Event.objects.count(), AuditEntry.objects.count(), User.objects.count()) == before


def test_a_node_that_is_not_there_is_told_of(command: InProcess, three: list[Worker]) -> None:
    assert command("workers", "pause", three[1].pk).err == ""
    Node.objects.update(status="offline")
    done = command.good("workers", "resume", three[1].pk)
    assert done.err == (
        "1 node is not there (test-node): what was asked is noted, and done as soon as Specyard runs there again.\n"
    )
    assert command.good("workers", "pause", three[1].pk, "--json").document["nodes_away"] == ["test-node"]


def test_waiting_has_an_end(command: InProcess, three: list[Worker]) -> None:
    done = command("workers", "pause", three[1].pk, "--wait", "--timeout", "0.3")
    assert done.code == 1
    assert f"Worker {three[1].pk} is asked to pause, but is still running after 0 s." in done.err


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "3601", "soon"])
def test_what_is_no_time_to_wait(command: InProcess, three: list[Worker], seconds: str) -> None:
    assert command("workers", "pause", three[1].pk, "--wait", "--timeout", seconds).code == 2
    assert now(three[1]).desired == "run"


def test_waiting_for_what_is_so_takes_no_time(command: InProcess, three: list[Worker]) -> None:
    aged(three[1], status="paused", desired="pause")
    assert command.good("workers", "pause", three[1].pk, "--wait").out == f"Worker {three[1].pk} is paused.\n"
    stopped = command.good("workers", "stop", three[0].pk, "--wait", "--json").document
    assert stopped["results"][0]["reached"] is True


def test_problems_are_json_for_whoever_asks_for_it(command: InProcess) -> None:
    usage = command("workers", "list", "--status", "bogus", "--json")
    assert (usage.code, usage.out, usage.problem["type"]) == (2, "", "urn:specyard:problem:usage")
    missing = command("workers", "list", "--json", "--project", "mill")
    assert (missing.code, missing.problem["type"]) == (3, "urn:specyard:problem:not-found")
    assert json.loads(missing.err)["detail"].startswith("There is no project")
