"""Webhooks: every event arrives, signed, in its order, whatever receivers, nodes and databases do."""

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
from tests.events.sending import Node, assert_signed, fresh, webhook_to
from tests.support import make
from tests.support.driving import Pool
from tests.support.receiver import Receiver, status
from workers.models import Event, latest_seq
from workers.states import EventKind

pytestmark = pytest.mark.django_db(transaction=True)


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
