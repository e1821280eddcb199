"""A webhook gets another secret, and its receiver misses nothing."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.models import AuditEntry, KeptAnswer, Webhook
from specs import encryption
from tests.api.conftest import caller
from tests.events.conftest import write
from tests.events.sending import Node, assert_signed, sends, webhook_to
from tests.support.receiver import Receiver, receiver

__all__ = ["receiver", "sends"]
pytestmark = pytest.mark.django_db(transaction=True)


def rotated(admin: Client, webhook: Webhook, **body: object) -> str:
    reply = caller(admin)("post", f"/webhooks/{webhook.pk}/rotate", body)
    assert (reply.status_code, reply["Cache-Control"]) == (200, "no-store"), reply.content
    return str(reply.json()["secret"])


def signatures(receiver: Receiver) -> list[str]:
    return receiver.received[-1].headers["webhook-signature"].split(" ")


def test_both_secrets_sign_for_a_day_then_the_new_one_alone(admin: Client, receiver: Receiver, sends: Node) -> None:
    webhook, old = webhook_to(receiver)
    new = rotated(admin, webhook)
    write()
    sends.round()
    assert len(signatures(receiver)) == 2
    for secret in (new, old):
        assert_signed(receiver.received[-1], secret)
    webhook.refresh_from_db()
    assert timedelta(hours=23) < webhook.old_secret_until - timezone.now() <= timedelta(hours=24)
    Webhook.objects.update(old_secret_until=timezone.now())
    write()
    sends.round()
    assert len(signatures(receiver)) == 1
    assert_signed(receiver.received[-1], new)


def test_a_secret_that_somebody_else_knows_ends_at_once(admin: Client, receiver: Receiver, sends: Node) -> None:
    webhook, old = webhook_to(receiver)
    new = rotated(admin, webhook, overlap_hours=0)
    write()
    sends.round()
    assert_signed(receiver.received[-1], new)
    assert len(signatures(receiver)) == 1
    assert old not in encryption.decrypt(Webhook.objects.get().secret)


def test_of_many_rotations_the_last_two_secrets_sign(admin: Client, receiver: Receiver, sends: Node) -> None:
    webhook, first = webhook_to(receiver)
    second = caller(admin)("post", f"/webhooks/{webhook.pk}/rotate", b"").json()["secret"]  # the usual without a body
    third = rotated(admin, webhook)
    write()
    sends.round()
    assert len(signatures(receiver)) == 2
    for secret in (third, second):
        assert_signed(receiver.received[-1], secret)
    assert len({first, second, third}) == 3


def test_a_secret_that_nobody_can_read_any_more_is_replaced(admin: Client, receiver: Receiver, sends: Node) -> None:
    webhook, _ = webhook_to(receiver)
    Webhook.objects.update(secret="of another key")
    new = rotated(admin, webhook)
    write()
    sends.round()
    assert_signed(receiver.received[-1], new)


def test_no_secret_is_kept_where_it_can_be_read(admin: Client, receiver: Receiver) -> None:
    webhook, _ = webhook_to(receiver)
    path, key = f"/webhooks/{webhook.pk}/rotate", {"Idempotency-Key": "k1"}
    secret = caller(admin)("post", path, {}, headers=key).json()["secret"]
    assert caller(admin)("post", path, {}, headers=key).status_code == 409
    assert KeptAnswer.objects.get().body is None
    assert secret not in Webhook.objects.get().secret
    entry = AuditEntry.objects.get(action="webhook.rotate")
    assert secret[6:20] not in f"{entry.before}{entry.after}"


@pytest.mark.parametrize("hours", [-1, 169, None, "24", 1.5])
def test_an_overlap_that_is_none_is_refused(admin: Client, receiver: Receiver, hours: object) -> None:
    webhook, _ = webhook_to(receiver)
    reply = caller(admin)("post", f"/webhooks/{webhook.pk}/rotate", {"overlap_hours": hours})
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "overlap_hours")
