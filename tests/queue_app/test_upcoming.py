"""Which workspaces the queue will need next."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from queue_app import dispatch
from queue_app.models import WorkerQueue, Yard
from queue_app.upcoming import upcoming
from specs.models import Project
from tests.support import make
from workers.models import Node

pytestmark = pytest.mark.django_db


@pytest.fixture
def node() -> Node:
    found = make.node()
    Yard.current()
    Yard.objects.update(limit=0)
    return found


def project(name: str, isolation: str = "worktree") -> Project:
    return make.project(Path("/nowhere"), isolation=isolation, name=name)


def wait(project: Project, **fields: object) -> WorkerQueue:
    entry = dispatch.enqueue(make.spec("true", project=project), by="mira", **fields)
    assert isinstance(entry, WorkerQueue)
    return entry


def names(node: Node, most: int = 9) -> list[str]:
    return [found.name for found in upcoming(node, most)]


def test_the_first_come_first_and_no_more_than_asked_for(node: Node) -> None:
    a, b = project("a"), project("b")
    for one in (a, b, a):
        wait(one)
    wait(b, priority=5)
    assert names(node) == ["b", "a", "b", "a"]
    assert names(node, 2) == ["b", "a"]
    assert names(node, 0) == []


def test_only_worktrees_are_made_ahead(node: Node) -> None:
    wait(project("copied", "copy"))
    wait(project("shared", "in_place"))
    assert names(node) == []


def test_who_goes_on_where_another_was_needs_none(node: Node) -> None:
    place = project("a")
    before = make.worker("true", project=place, slot=1)
    entry = wait(place)
    WorkerQueue.objects.filter(pk=entry.pk).update(continues=before)
    assert names(node) == []


def test_who_must_wait_for_long_needs_nothing_yet(node: Node) -> None:
    wait(project("late"), not_before=timezone.now() + timedelta(hours=1))
    wait(project("soon"), not_before=timezone.now() + timedelta(minutes=5))
    assert names(node) == ["soon"]


def test_a_queue_that_is_paused_or_empty_needs_nothing(node: Node) -> None:
    assert names(node) == []
    wait(project("a"))
    dispatch.pause_queue("mira")
    assert names(node) == []


def test_only_the_node_that_will_run_it_makes_it(node: Node) -> None:
    other = make.node("other")
    Node.objects.filter(pk=other.pk).update(capabilities={"executors": []})
    wait(project("a"))
    assert names(node) == ["a"]
    assert names(other) == []


def test_a_node_that_is_full_prepares_for_when_it_is_not(node: Node) -> None:
    Node.objects.filter(pk=node.pk).update(max_workers=0)
    wait(project("a"))
    assert names(node) == ["a"]
