"""A node's Celery proves that it takes messages."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from tests.support import make
from tests.support.valkey import Valkey
from tests.support.wait import until
from tests.support.yard import Yard
from workers import canary as module
from workers import publisher, tasks
from workers.canary import Canary
from workers.models import Node
from workers.states import NodeStatus

QUEUE = "node.somewhere"


@pytest.fixture
def bird(monkeypatch: pytest.MonkeyPatch) -> Canary:
    """The canary of this process, as after its start."""
    made = Canary()
    monkeypatch.setattr(tasks, "canary", made)
    return made


def sent(bird: Canary) -> bool:
    """Whether one was sent; returns when it is."""
    begun = bird.fly("somewhere")
    if bird._sender is not None:
        bird._sender.join(10)
        assert not bird._sender.is_alive()
    return begun


def test_one_is_sent_at_once_and_the_next_when_it_is_due(valkey: Valkey, bird: Canary) -> None:
    assert sent(bird)
    assert valkey.client.llen(QUEUE) == 1
    assert not sent(bird)
    bird._due -= module.EVERY
    assert sent(bird)
    assert valkey.client.llen(QUEUE) == 2


def test_any_message_that_arrives_puts_the_next_one_off(valkey: Valkey, bird: Canary) -> None:
    assert not bird.has_arrived
    tasks.arrive()
    assert bird.has_arrived
    assert not sent(bird)
    assert bird.take()
    assert not bird.take()


def test_a_queue_that_nobody_reads_grows_slowly(valkey: Valkey, bird: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    at = []
    for now in range(1000, 1300):
        if bird.fly("somewhere"):
            at.append(now - 1000)
        if bird._sender is not None:
            bird._sender.join(10)
    assert at == [0, 20, 40, 60, 120, 180, 240]
    tasks.arrive()
    assert not bird.fly("somewhere")
    now += module.EVERY
    assert bird.fly("somewhere")


def test_a_redis_that_is_away_holds_nobody_up_and_ends_nothing(bird: Canary) -> None:
    assert sent(bird)
    bird._due = 0
    assert sent(bird)


def test_a_redis_that_takes_connections_and_is_silent_holds_nobody_up(
    valkey: Valkey, bird: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    with valkey.frozen():
        assert bird.fly("somewhere")
        bird._due = 0
        assert not bird.fly("somewhere"), "the first one still waits, without this thread"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "seconds", "is_late"),
    [
        (NodeStatus.ONLINE, 50, False),
        (NodeStatus.ONLINE, 70, True),
        (NodeStatus.ONLINE, None, True),
        (NodeStatus.DRAINING, 70, True),
        (NodeStatus.OFFLINE, 70, False),
        (NodeStatus.SILENT, 70, False),
    ],
)
def test_nodes_that_are_here_are_late_after_a_minute(status: str, seconds: int | None, is_late: bool) -> None:
    at = None if seconds is None else timezone.now() - timedelta(seconds=seconds)
    made = make.node(status=status, canary_at=at)
    assert list(Node.without_canary()) == ([made] if is_late else [])


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_a_real_node_proves_itself_soon_after_its_start_and_not_when_its_messages_go_astray(tmp_path: Path) -> None:
    yard = Yard(tmp_path)
    try:
        yard.start()
        proven = until(lambda: Node.objects.exclude(canary_at=None).first(), what="the first canary is written")
        assert timezone.now() - proven.canary_at < timedelta(seconds=10)
        yard.kill("valkey")
        Node.objects.update(canary_at=None)
        until(lambda: Node.objects.get().last_seen > proven.last_seen + timedelta(seconds=6), what="two heartbeats")
        assert Node.without_canary().exists()
        yard.start_valkey()
        until(lambda: not Node.without_canary().exists(), seconds=40, what="it is heard again")
    finally:
        yard.close()
    assert publisher.driver_here("test-node") is None
