"""A node that sends webhooks, and what tests ask of it. The fixture `sends` is in conftest.py."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dashboard.models import Webhook
from dashboard.webhooks import sending, verbs
from dashboard.webhooks.sender import Sender
from tests.support.driving import Pool
from tests.support.receiver import Receiver
from tests.support.wait import until


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


def assert_signed(received: Any, secret: str) -> None:
    """As the specification tells receivers to check it."""
    uid, at = received.headers["webhook-id"], received.headers["webhook-timestamp"]
    assert abs(int(at) - time.time()) < 60
    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert len(key) >= 24
    signed = hmac.new(key, f"{uid}.{at}.".encode() + received.body, hashlib.sha256).digest()
    assert f"v1,{base64.b64encode(signed).decode()}" in received.headers["webhook-signature"].split(" ")
