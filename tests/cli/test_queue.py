"""`specyard queue` and `specyard nodes` on the local database."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from queue_app import dispatch
from queue_app.models import WorkerQueue, Yard
from specs.models import Project, Spec
from tests.cli.support import InProcess
from tests.support import make
from workers.models import Node, Worker


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make.project(name="shop")


@pytest.fixture
def specs(project: Project) -> list[Spec]:
    """Three that can wait."""
    return [make.spec(project=project, key=key, title=f"The {key}") for key in ("cart", "search", "payment")]


def waiting() -> list[str]:
    return [entry.spec.key for entry in WorkerQueue.objects.select_related("spec")]


@pytest.mark.parametrize("word", ["shop/cart", "The cart", "the CART", "{pk}"])
def test_a_spec_is_called_by_number_key_or_title(command: InProcess, specs: list[Spec], word: str) -> None:
    done = command.good("queue", "add", word.format(pk=specs[0].pk))
    assert waiting() == ["cart"]
    entry = WorkerQueue.objects.get()
    assert done.out == f"Entry {entry.pk} is number 1: shop / The cart. No node is online\n"


def test_a_title_that_two_have_names_neither(command: InProcess, specs: list[Spec]) -> None:
    other = make.spec(project=make.project(name="mill"), key="cart", title="The cart")
    done = command("queue", "add", "The cart")
    assert done.code == 2
    assert f"shop/cart ({specs[0].pk}), mill/cart ({other.pk})" in done.err
    assert waiting() == []


def test_one_that_is_unknown_adds_none(command: InProcess, specs: list[Spec]) -> None:
    done = command("queue", "add", "shop/cart", "sear")
    assert (done.code, done.out) == (3, "")
    assert f'There is no spec "sear". Perhaps shop/search ({specs[1].pk}).' in done.err
    assert waiting() == []
    for word in ("shop/none", "none/cart", "99999", "/", "", "\udcff"):
        assert command("queue", "add", word).code in (2, 3), word


def test_several_stand_as_they_were_named(command: InProcess, specs: list[Spec]) -> None:
    dispatch.enqueue(specs[1], by="mira")
    command.good("queue", "add", "shop/payment", "shop/cart", "--top")
    assert waiting() == ["payment", "cart", "search"]


def test_what_waits_already_is_refused_and_the_others_are_added(command: InProcess, specs: list[Spec]) -> None:
    dispatch.enqueue(specs[0], by="mira")
    done = command("queue", "add", "shop/cart", "shop/search", "--json")
    assert done.code == 4
    assert [(one["outcome"], one["spec"]) for one in done.document["results"]] == [
        ("refused", specs[0].pk),
        ("waits", specs[1].pk),
    ]
    assert waiting() == ["cart", "search"]


def test_what_need_not_wait_starts(command: InProcess, specs: list[Spec], node: Node) -> None:
    done = command.good("queue", "add", "shop/cart")
    worker = Worker.objects.get()
    assert done.out == f"Worker {worker.pk} has started: shop / The cart\n"
    assert worker.created_by != ""


def test_priority_and_time(command: InProcess, specs: list[Spec]) -> None:
    begun = timezone.now()
    command.good("queue", "add", "shop/cart", "--priority", "-5", "--not-before", "+1h30m")
    entry = WorkerQueue.objects.get()
    assert entry.priority == -5
    assert entry.not_before is not None
    assert timedelta(minutes=89) < entry.not_before - begun < timedelta(minutes=92)


def test_a_time_without_a_zone_is_of_this_machine(command: InProcess, specs: list[Spec]) -> None:
    command.good("queue", "add", "shop/cart", "--not-before", "2090-01-02T03:04", TZ="Asia/Tokyo")
    assert WorkerQueue.objects.get().not_before == datetime.fromisoformat("2090-01-01T18:04+00:00")


@pytest.mark.parametrize(
    "words",
    [
        ["--not-before", "soon"],
        ["--not-before", "+"],
        ["--not-before", "-2h"],
        ["--not-before", "99999-01-01"],
        ["--priority", "101"],
        ["--priority", "high"],
    ],
    ids=" ".join,
)
def test_wrong_input_adds_nothing(command: InProcess, specs: list[Spec], words: list[str]) -> None:
    assert command("queue", "add", "shop/cart", *words).code == 2
    assert waiting() == []


def test_the_list_says_why_each_waits(command: InProcess, specs: list[Spec]) -> None:
    for spec in specs:
        dispatch.enqueue(spec, by="mira")
    dispatch.pause_queue("mira")
    out = command.good("queue", "list").out.splitlines()
    assert out[:2] == ["0 of 5 worker slots in use, 3 waiting.", "The queue is paused by mira."]
    assert len(out) == 6
    assert "Queue paused" in out[3]
    found = command.good("queue", "list", "--json", "--limit", "2").document
    assert [entry["place"] for entry in found["items"]] == [1, 2]
    assert found["next"]


def test_a_list_of_one_project_that_goes_on_says_so(command: InProcess, specs: list[Spec]) -> None:
    dispatch.pause_queue("mira")
    for spec in specs:
        dispatch.enqueue(spec, by="mira")
    words = ("queue", "list", "--project", "shop", "--limit", "2")
    document = command.good(*words, "--json").document
    assert (len(document["items"]), document["next"] is None) == (2, False)
    assert "There are more" in command.good(*words).err
    assert command.good(*words, "--all").err == ""


def test_the_list_of_one_project(command: InProcess, specs: list[Spec]) -> None:
    other = make.spec()
    for spec in (specs[0], other, specs[1]):
        dispatch.enqueue(spec, by="mira")
    found = command.good("queue", "list", "--json", "--project", "shop").document["items"]
    assert [(entry["spec"], entry["place"]) for entry in found] == [(specs[0].pk, 1), (specs[1].pk, 3)]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["{pk[2]}", "--top"], [2, 0, 1]),
        (["{pk[0]}", "--bottom"], [1, 2, 0]),
        (["{pk[1]}", "--up"], [1, 0, 2]),
        (["{pk[1]}", "--down"], [0, 2, 1]),
        (["{pk[2]}", "--before", "{pk[1]}"], [0, 2, 1]),
        (["{pk[0]}", "--after", "{pk[2]}"], [1, 2, 0]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_entries_move(command: InProcess, specs: list[Spec], words: list[str], wanted: list[int]) -> None:
    entries = [dispatch.enqueue(spec, by="mira") for spec in specs]
    done = command.good("queue", "move", *(word.format(pk=[entry.pk for entry in entries]) for word in words))
    assert waiting() == [specs[at].key for at in wanted]
    assert " now." in done.out


@pytest.mark.parametrize("words", [[], ["--top", "--bottom"], ["--top", "--before", "1"], ["--before", "x"]])
def test_a_move_has_one_aim(command: InProcess, specs: list[Spec], words: list[str]) -> None:
    entry = dispatch.enqueue(specs[0], by="mira")
    assert command("queue", "move", entry.pk, *words).code == 2


def test_a_move_that_takes_a_priority_says_so(command: InProcess, specs: list[Spec]) -> None:
    dispatch.enqueue(specs[0], by="mira", priority=9)
    second = dispatch.enqueue(specs[1], by="mira")
    assert "It took the priority 9" in command.good("queue", "move", second.pk, "--top").out


def test_entries_are_removed(command: InProcess, specs: list[Spec]) -> None:
    entries = [dispatch.enqueue(spec, by="mira") for spec in specs]
    done = command("queue", "remove", entries[0].pk, entries[1].pk, 4711)
    assert (done.code, done.out) == (3, f"Entry {entries[0].pk} is removed.\nEntry {entries[1].pk} is removed.\n")
    assert waiting() == ["payment"]


def test_the_queue_stands_and_moves(command: InProcess) -> None:
    assert command.good("queue", "pause").out.startswith("The queue is paused. 0 workers are active, 0 specs wait.")
    assert Yard.current().paused
    assert command.good("queue", "resume", "--json").document["paused"] is False
    assert not Yard.current().paused


def test_nodes_are_listed_drained_and_taken_back(command: InProcess, node: Node) -> None:
    make.node("yard-2", status="offline")
    out = command.good("nodes", "list").out
    assert "yard-2" in out
    assert "online" in out
    found = command.good("nodes", "list", "--json", "--status", "offline").document["items"]
    assert [each["name"] for each in found] == ["yard-2"]
    drained = command.good("nodes", "drain", "test-node")
    assert drained.out == "test-node takes no new work. 0 workers run on it.\n"
    assert Node.objects.get(pk=node.pk).status == "draining"
    assert command.good("nodes", "resume", node.pk, "--json").document["status"] == "online"
    assert command("nodes", "drain", "yard-2").code == 4
    assert 'no node "mill". Known: test-node, yard-2' in command("nodes", "drain", "mill").err
