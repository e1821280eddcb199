"""Webhooks of a real node: killed, restarted, without Redis."""

import pytest

from dashboard.models import Webhook
from dashboard.webhooks import verbs
from tests.events.conftest import write
from tests.support.receiver import Receiver
from tests.support.wait import until
from tests.support.yard import Yard
from workers.models import latest_seq
from workers.states import EventKind

pytestmark = pytest.mark.faults


def test_a_node_sends_what_happened_while_it_and_redis_were_away(yard: Yard, receiver: Receiver) -> None:
    first = latest_seq() + 1
    webhook, _ = verbs.create(receiver.url, ["node_draining"])
    write(20, EventKind.NODE_DRAINING)
    until(lambda: receiver.received, what="the first event arrives")
    yard.kill("node")
    yard.kill("valkey")
    Webhook.objects.filter(pk=webhook.pk).update(held_until=None)  # as half a minute later
    write(20, EventKind.NODE_DRAINING)
    yard.start_valkey()  # empty
    yard.start_node()
    until(lambda: receiver.numbers[-1] >= first + 39, what="the last event arrives")
    numbers = list(dict.fromkeys(receiver.numbers))
    assert numbers == sorted(numbers)
    assert len(numbers) == 40
    names = {one.headers["webhook-id"] for one in receiver.received}
    assert len(names) == 40, "what came twice has the same name"
