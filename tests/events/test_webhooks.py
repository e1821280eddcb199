"""Webhooks: every event arrives, signed, in its order, whatever receivers, nodes and databases do."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psutil
import pytest
from django.conf import settings
from django.utils import timezone

from dashboard.models import AuditEntry, DeliveryResult, Webhook, WebhookDelivery
from dashboard.webhooks import sending, verbs
from dashboard.webhooks.sender import Sender
from queue_app.errors import BadValue
from specs import encryption, secrets
from specs.errors import SecretUnreadable
from tests.events.conftest import write
from tests.support import make
from tests.support.driving import Pool
from tests.support.receiver import Receiver, close, drip, flood, hang, status
from tests.support.wait import until
from workers.models import Event, latest_seq
from workers.states import EventKind

pytestmark = pytest.mark.django_db(transaction=True)


class Node:
    """A sender whose rounds a test runs."""

    def __init__(self) -> None:
        self._pool = Pool()
        self.sender = Sender(self._pool)

    def round(self) -> None:
        """One round, up to the end of what it has begun."""
        self.sender.run_once()
        until(lambda: not self.sender._served, what="the round ends")

    def close(self) -> None:
        self.sender.stop()
        self._pool.shutdown()


@pytest.fixture
def sends(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setattr(sending, "TIMEOUT", 1.0)
    one = Node()
    yield one
    one.close()


def webhook_to(receiver: Receiver, **facts: Any) -> tuple[Webhook, str]:
    return verbs.create(receiver.url, by="ada", **facts)


def at_once() -> None:
    """Whatever waits for its next attempt waits no longer."""
    Webhook.objects.update(next_at=None)


def fresh(webhook: Webhook) -> Webhook:
    return Webhook.objects.get(pk=webhook.pk)


def test_events_arrive_signed_and_in_their_order(receiver: Receiver, sends: Node) -> None:
    write(2)
    webhook, secret = webhook_to(receiver)
    write(1, EventKind.NODE_OFFLINE, node="yard-1")
    write(4)
    sends.round()
    assert receiver.numbers == [3, 4, 5, 6, 7]
    first = receiver.received[0]
    event = first.event
    assert first.line == "POST /hook?of=mira HTTP/1.1"
    assert first.headers["content-type"] == "application/json"
    assert (event["kind"], event["data"], event["worker_id"]) == ("node_offline", {"node": "yard-1"}, None)
    assert_signed(first, secret)
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 5
    assert set(webhook.deliveries.values_list("result", "attempts", "status_code")) == {("delivered", 1, 200)}


def assert_signed(received: Any, secret: str) -> None:
    """As the specification tells receivers to check it."""
    uid, at = received.headers["webhook-id"], received.headers["webhook-timestamp"]
    assert abs(int(at) - time.time()) < 60
    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert len(key) >= 24
    signed = hmac.new(key, f"{uid}.{at}.".encode() + received.body, hashlib.sha256).digest()
    assert received.headers["webhook-signature"] == f"v1,{base64.b64encode(signed).decode()}"


def test_the_secret_is_not_in_the_database(receiver: Receiver) -> None:
    _, secret = webhook_to(receiver)
    stored = Webhook.objects.values().get()
    assert not any(secret.removeprefix("whsec_") in str(value) for value in stored.values())
    assert not any(secret[6:20] in f"{entry.before}{entry.after}" for entry in AuditEntry.objects.all())


def test_it_changes_keys_with_the_other_secrets(
    receiver: Receiver, sends: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or `specyard secrets rotate --drop-old` would leave webhooks that nobody can sign for."""
    keys = [encryption.new_key()]
    monkeypatch.setattr(type(settings.SPECYARD), "secrets_keys", lambda self, make=False: keys)
    webhook, secret = webhook_to(receiver)
    keys.insert(0, encryption.new_key())
    assert not secrets.all_under_first_key()
    assert secrets.encrypt_anew() == 1
    assert secrets.all_under_first_key()
    del keys[1]
    write()
    sends.round()
    assert_signed(receiver.received[0], secret)
    keys[0] = encryption.new_key()
    write()
    sends.round()
    assert "cannot be read" in webhook.deliveries.get(seq=2).error
    with pytest.raises(SecretUnreadable, match="webhook"):
        secrets.encrypt_anew()


def test_only_what_is_wanted_is_sent(receiver: Receiver, sends: Node) -> None:
    mine, other = make.worker(), make.worker()
    start = latest_seq()
    webhook_to(receiver, kinds=["worker_paused"], project=mine.project)
    for worker in (mine, other):
        write(1, EventKind.WORKER_PAUSED, worker.pk, by="mira")
    write(3)
    sends.round()
    assert receiver.numbers == [start + 1]


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


def test_what_is_gone_is_said_to_be(receiver: Receiver, sends: Node) -> None:
    webhook_to(receiver, kinds=["node_online"])
    write(5)
    Event.objects.filter(seq__lte=3).delete()
    sends.round()
    (event,) = (one.event for one in receiver.received)
    assert (event["kind"], event["data"]) == ("reset", {"wanted": 0, "oldest": 4})
    write(1)
    sends.round()
    assert receiver.numbers == [5, 6]


def test_events_of_no_interest_may_go(receiver: Receiver, sends: Node) -> None:
    webhook_to(receiver, kinds=["worker_paused"])
    write(5)
    sends.round()
    Webhook.objects.update(looked_at=timezone.now() - sending.LONG_AGO)
    sends.round()
    Event.objects.all().delete()
    write(1, EventKind.WORKER_PAUSED, 1, by="mira")
    sends.round()
    assert [one.event["kind"] for one in receiver.received] == ["worker_paused"]


def test_a_test_is_sent_once_also_while_disabled(receiver: Receiver, sends: Node) -> None:
    receiver.answers = [status(500)]
    webhook, secret = webhook_to(receiver)
    verbs.change(webhook, active=False)
    write(2)
    verbs.try_out(webhook, by="ada")
    sends.round()
    sends.round()
    (received,) = receiver.received
    assert (received.event["kind"], received.event["data"]) == ("test", {"by": "ada"})
    assert_signed(received, secret)
    assert webhook.deliveries.get().result == DeliveryResult.GIVEN_UP
    assert fresh(webhook).failures == 0


def test_something_is_sent_again_when_somebody_asks(receiver: Receiver, sends: Node) -> None:
    receiver.answers = [status(200), status(500), status(500)]
    webhook, _ = webhook_to(receiver)
    write(2)
    sends.round()
    first, second = webhook.deliveries.order_by("pk")
    verbs.redeliver(first)
    sends.round()
    assert receiver.numbers == [1, 2, 1], "whatever waits"
    assert receiver.received[0].headers["webhook-id"] == receiver.received[2].headers["webhook-id"]
    first.refresh_from_db()
    assert (first.result, fresh(webhook).failures) == (DeliveryResult.GIVEN_UP, 1)
    verbs.redeliver(second)
    sends.round()
    assert receiver.numbers == [1, 2, 1, 2], "and what waits for its time, at once"
    assert not webhook.deliveries.filter(result=DeliveryResult.WAITING).exists()


def test_the_thread_sends_by_itself_and_stops(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.webhooks.sender.IDLE_TICK", 0.1)
    with Pool() as pool:
        sender = Sender(pool)
        sender.start()
        webhook_to(receiver)
        write(3)
        receiver.until(3)
        sender.stop()
        sender._thread.join(10)
    assert not sender._thread.is_alive()
    assert Webhook.objects.get().holder == ""


def test_old_deliveries_are_forgotten(receiver: Receiver, sends: Node) -> None:
    webhook, _ = webhook_to(receiver)
    write(3)
    sends.round()
    old = webhook.deliveries.order_by("pk")[:2].values_list("pk", flat=True)
    WebhookDelivery.objects.filter(pk__in=list(old)).update(created_at=timezone.now() - sending.KEPT * 2)
    assert sending.prune() == 2
    assert webhook.deliveries.count() == 1


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://example.org/", "http"),
        ("https:///path", "name a host"),
        ("example.org", "http"),
        ("http://[::1", "not an address"),
        ("http://example.org:99999/", "not an address"),
        ("http://example.org:0/", "name a host"),
        ("http://mira:pass@example.org/", "no user name"),
        ("http://example.org/ a", "ASCII"),
        ("http://exämple.org/", "ASCII"),
        ("http://example.org/\r\nX: y", "ASCII"),
        ("http://169.254.169.254/latest", "link-local"),
        ("http://[fd00:ec2::254]/latest", "link-local"),
        ("http://[::ffff:169.254.169.254]/", "link-local"),
        ("http://0.0.0.0/", "no address of a machine"),
        ("http://example.org/" + "x" * 2000, "2000"),
    ],
)
def test_addresses_that_are_none_are_refused(url: str, says: str) -> None:
    with pytest.raises(BadValue, match=says):
        verbs.create(url)


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(BadValue, match="eaten"):
        verbs.create("http://example.org/", ["eaten"])
