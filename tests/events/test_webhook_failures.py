"""Webhooks whose receivers, or nodes, do not do what they should."""

import time
from datetime import timedelta
from typing import Any

import psutil
import pytest
from django.utils import timezone

from dashboard.models import AuditEntry, DeliveryResult, Webhook, WebhookDelivery
from dashboard.webhooks import sending, verbs
from tests.events.conftest import write
from tests.events.sending import Node, at_once, fresh, webhook_to
from tests.support.receiver import Receiver, close, drip, flood, hang, status
from tests.support.wait import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (status(500, "oh no"), "answered 500"),
        (status(302, Location="http://127.0.0.1:1/"), "answered 302, and redirects are not followed"),
        (hang, "no answer within 1 s"),
        (drip, "no answer within 1 s"),
        (close, "RemoteDisconnected"),
    ],
    ids=["500", "redirect", "hang", "drip", "close"],
)
def test_what_failed_is_sent_again_and_what_follows_waits(
    answer: Any,
    error: str,
    receiver: Receiver,
    sends: Node,
) -> None:
    receiver.answers = [answer]
    webhook, _ = webhook_to(receiver)
    write(3)
    began = time.monotonic()
    sends.round()
    assert time.monotonic() - began < 5
    assert receiver.numbers == [1]
    (delivery,) = webhook.deliveries.all()
    assert (delivery.result, delivery.attempts) == (DeliveryResult.WAITING, 1)
    assert error in delivery.error
    found = fresh(webhook)
    assert (found.failures, found.state) == (1, "retrying")
    assert found.next_at is not None
    assert found.next_at > timezone.now() + timedelta(seconds=2)
    sends.round()
    assert receiver.numbers == [1], "it was not its time"
    at_once()
    sends.round()
    assert receiver.numbers == [1, 1, 2, 3]
    again = receiver.received[:2]
    assert again[0].headers["webhook-id"] == again[1].headers["webhook-id"]
    assert again[0].body == again[1].body
    assert fresh(webhook).state == "working"


def test_a_gigabyte_is_neither_read_nor_kept(receiver: Receiver, sends: Node) -> None:
    receiver.answers = [flood]
    webhook, _ = webhook_to(receiver)
    write()
    before = psutil.Process().memory_info().rss
    sends.round()
    (delivery,) = webhook.deliveries.all()
    assert (delivery.result, len(delivery.answer)) == (DeliveryResult.DELIVERED, 1000)
    assert psutil.Process().memory_info().rss - before < 100 * 2**20


def test_what_was_answered_is_stored_whatever_it_is(receiver: Receiver, sends: Node) -> None:
    receiver.answers = [status(400, "no\0pe \x1b[31m")]
    webhook, _ = webhook_to(receiver)
    write()
    sends.round()
    assert "no" in webhook.deliveries.get().answer


def test_a_slow_receiver_does_not_keep_others_waiting(receiver: Receiver, sends: Node) -> None:
    other = Receiver()
    try:
        receiver.answers = [hang]
        webhook_to(receiver)
        webhook_to(other)
        write(3)
        sends.sender.run_once()
        other.until(3, seconds=0.9)
    finally:
        other.close()


def test_retry_after_is_heeded(receiver: Receiver, sends: Node) -> None:
    receiver.answers = [status(429, Retry_After="600")]
    webhook, _ = webhook_to(receiver)
    write()
    sends.round()
    next_at = fresh(webhook).next_at
    assert next_at is not None
    assert timedelta(seconds=590) < next_at - timezone.now() < timedelta(seconds=610)


def test_the_pauses_grow_up_to_an_hour() -> None:
    for failures in range(1, 60):
        usual = min(5.0 * 2 ** (failures - 1), 3600)
        assert usual * 0.8 <= sending.delay(failures) <= usual * 1.2


def test_after_a_day_an_event_is_given_up_and_after_days_the_webhook(
    receiver: Receiver,
    sends: Node,
) -> None:
    receiver.answers = [status(503)] * 12
    webhook, _ = webhook_to(receiver)
    write(3)
    for _ in range(sending.FEWEST):
        sends.round()
        at_once()
    assert webhook.deliveries.get().result == DeliveryResult.WAITING
    assert fresh(webhook).state == "retrying"
    WebhookDelivery.objects.update(event_at=timezone.now() - sending.GIVE_UP)
    sends.round()
    assert webhook.deliveries.get(seq=1).result == DeliveryResult.GIVEN_UP
    assert fresh(webhook).state == "failing"
    Webhook.objects.update(failing_since=timezone.now() - sending.DISABLE)
    at_once()
    sends.round()
    assert (fresh(webhook).active, fresh(webhook).disabled_why) == (False, "Nothing has come through for 3 days.")
    entry = AuditEntry.objects.get(action="webhook.disable")
    assert (entry.actor, entry.source, entry.target_id) == ("", "system", webhook.pk)
    at_once()
    sends.round()
    assert set(receiver.numbers) == {1, 2}


def test_a_failing_webhook_works_again_after_one_success(receiver: Receiver, sends: Node) -> None:
    webhook, _ = webhook_to(receiver)
    Webhook.objects.update(failing_since=timezone.now(), failures=7)
    write()
    sends.round()
    assert fresh(webhook).state == "working"


def test_410_disables(receiver: Receiver, sends: Node) -> None:
    receiver.answers = [status(410)]
    webhook, _ = webhook_to(receiver)
    write(2)
    sends.round()
    assert receiver.numbers == [1]
    assert fresh(webhook).state == "disabled"
    assert AuditEntry.objects.filter(action="webhook.disable", target_id=webhook.pk).exists()
    write(1)
    verbs.change(webhook, active=True)
    write(1)
    sends.round()
    assert receiver.numbers == [1, 4], "it goes on with what happens from then on"


def test_a_node_that_dies_in_the_middle_loses_nothing(receiver: Receiver, sends: Node) -> None:
    """What it had sent and not settled comes again, under the same name."""
    webhook, _ = webhook_to(receiver)
    write(3)
    assert sending.hold(webhook.pk, "dead")
    delivery = sending.next_delivery(webhook.pk, "dead")
    assert delivery is not None
    sending.attempt(delivery)
    sends.round()
    assert receiver.numbers == [1], "another node has the lease"
    Webhook.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    sends.round()
    assert receiver.numbers == [1, 1, 2, 3]
    assert receiver.received[0].headers["webhook-id"] == receiver.received[1].headers["webhook-id"]
    sending.settle(delivery, "too late", "dead")
    assert webhook.deliveries.get(pk=delivery.pk).result == DeliveryResult.DELIVERED


def test_two_nodes_do_not_both_send(receiver: Receiver, sends: Node) -> None:
    other = Node()
    try:
        webhook_to(receiver)
        for _ in range(10):
            write(3)
            sends.sender.run_once()
            other.sender.run_once()
        until(lambda: len(receiver.received) >= 25 or not (sends.round() or other.round()))
        sends.round()
        other.round()
    finally:
        other.close()
    assert receiver.numbers == list(range(1, 31))
