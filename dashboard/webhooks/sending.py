"""What is sent next to an address, and what follows from how that went. Each function is one short transaction.

One process at a time sends to an address: it holds a lease of the row. What it does after losing that changes nothing.
"""

import logging
import random
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from dashboard.events import newest, page_after
from dashboard.models import DeliveryResult, Webhook, WebhookDelivery
from dashboard.models.webhook import ANSWER_LENGTH, ERROR_LENGTH
from dashboard.webhooks import posting, signing
from dashboard.webhooks.posting import Answer, Undelivered
from specs import encryption
from specs.acting import record
from specs.errors import SecretUnreadable
from workers.models import unit_of_work

logger = logging.getLogger(__name__)

TIMEOUT = 10.0  # seconds of one attempt
LEASE = timedelta(seconds=30)  # more than an attempt takes
READ = 50  # events of the outbox that are read at once
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3600.0  # seconds after an attempt that failed, doubled each time
JITTER = 0.2
GIVE_UP = timedelta(hours=24)  # after the event
FEWEST = 5  # attempts, however old the event is
DISABLE = timedelta(days=3)  # after the first delivery that was given up
FAR_BEHIND, LONG_AGO = 1000, timedelta(hours=1)  # a cursor that has met nothing of interest is moved up
KEPT = timedelta(days=7)
PRUNED_AT_ONCE = 1000
GONE = 410
AGENT = {"Content-Type": "application/json", "User-Agent": "Specyard-Webhooks/1"}
WAITING = WebhookDelivery.objects.filter(webhook=OuterRef("pk"), result=DeliveryResult.WAITING)


def due() -> list[int]:
    """The webhooks that have something to send now."""
    now = timezone.now()
    ready = Q(active=True) & (Q(next_at=None) | Q(next_at__lte=now))
    more = Q(cursor__lt=newest()) | Exists(WAITING.filter(manual=False))
    found = Webhook.objects.filter((ready & more) | Exists(WAITING.filter(manual=True)))
    return list(found.values_list("pk", flat=True))


@unit_of_work
def hold(pk: int, holder: str) -> bool:
    """Take, or keep, the lease. False while another process has it."""
    free = Q(held_until=None) | Q(held_until__lt=Now()) | Q(holder=holder)
    return bool(Webhook.objects.filter(free, pk=pk).update(holder=holder, held_until=Now() + LEASE))


@unit_of_work
def let_go(pk: int, holder: str) -> None:
    """Give the lease back."""
    Webhook.objects.filter(pk=pk, holder=holder).update(holder="", held_until=None)


@unit_of_work
def next_delivery(pk: int, holder: str) -> WebhookDelivery | None:
    """What is to be sent now; its row is written before it is sent, so that every attempt has the same name."""
    webhook = Webhook.objects.select_for_update().filter(pk=pk, holder=holder).first()
    if webhook is None:
        return None
    waiting = WebhookDelivery.objects.filter(webhook=webhook, result=DeliveryResult.WAITING).select_related("webhook")
    if wished := waiting.filter(manual=True).order_by("pk").first():
        return wished
    if not webhook.active or (webhook.next_at is not None and webhook.next_at > timezone.now()):
        return None
    return waiting.first() or _derived(webhook)


def _derived(webhook: Webhook) -> WebhookDelivery | None:
    """The delivery of the next event that the webhook wants, with the cursor moved to it."""
    while True:
        page = page_after(webhook.cursor, webhook.wanted, READ)
        if page.events:
            told = page.events[0]
            _move(webhook, told.seq)
            return WebhookDelivery.objects.create(
                webhook=webhook, seq=told.seq, kind=told.kind, body=told.text, event_at=told.at
            )
        if page.is_last:
            _catch_up(webhook, page.seq)
            return None
        _move(webhook, page.seq)


def _catch_up(webhook: Webhook, seq: int) -> None:
    """Now and then, so that nothing of interest is ever behind events that are removed for their age."""
    if seq - webhook.cursor >= FAR_BEHIND or timezone.now() - webhook.looked_at >= LONG_AGO:
        _move(webhook, seq)


def _move(webhook: Webhook, seq: int) -> None:
    webhook.cursor, webhook.looked_at = seq, timezone.now()
    Webhook.objects.filter(pk=webhook.pk).update(cursor=seq, looked_at=webhook.looked_at)


def attempt(delivery: WebhookDelivery) -> Answer | str:
    """Send it once. Gives the answer, or why there is none."""
    body, webhook = delivery.body.encode(), delivery.webhook
    try:
        keys = encryption.decrypt(webhook.secret).split()
        signed = signing.headers(keys if webhook.has_old_secret else keys[:1], delivery.uid, posting.now(), body)
        targets = settings.SPECYARD.webhook_targets
        return posting.post(webhook.url, body, {**AGENT, **signed}, seconds=TIMEOUT, targets=targets)
    except Undelivered as error:
        return str(error)
    except SecretUnreadable:
        return "its secret cannot be read: the key of the secrets is another one now"


@unit_of_work
def settle(delivery: WebhookDelivery, outcome: Answer | str, holder: str) -> None:
    """Write how an attempt went, unless another process sends to the webhook meanwhile."""
    webhook = Webhook.objects.select_for_update().filter(pk=delivery.webhook_id, holder=holder).first()
    if webhook is None:
        return
    now = timezone.now()
    delivered = isinstance(outcome, Answer) and outcome.is_success
    attempts = delivery.attempts + 1
    over = delivered or delivery.manual or _is_gone(outcome) or _is_too_old(delivery, attempts, now)
    result = DeliveryResult.DELIVERED if delivered else DeliveryResult.GIVEN_UP if over else DeliveryResult.WAITING
    facts = {**_facts(outcome), "result": result, "attempts": attempts, "last_at": now}
    facts["manual"] = delivery.manual and not over
    WebhookDelivery.objects.filter(pk=delivery.pk).update(**facts)
    if delivered:
        Webhook.objects.filter(pk=webhook.pk).update(failures=0, next_at=None, failing_since=None)
    elif _is_gone(outcome):
        disable(webhook, "The receiver has answered 410: it does not want events any more.")
    elif not delivery.manual:
        _failed(webhook, outcome, now, gave_up=over)


def _is_gone(outcome: Answer | str) -> bool:
    return isinstance(outcome, Answer) and outcome.status == GONE


def _is_too_old(delivery: WebhookDelivery, attempts: int, now: datetime) -> bool:
    return attempts >= FEWEST and now - delivery.event_at >= GIVE_UP


def _facts(outcome: Answer | str) -> dict[str, object]:
    """What is kept of an attempt."""
    if isinstance(outcome, str):
        return {"status_code": None, "error": outcome[:ERROR_LENGTH], "answer": ""}
    error = "" if outcome.is_success else f"answered {outcome.status}"
    if 300 <= outcome.status < 400:
        error += ", and redirects are not followed"
    return {"status_code": outcome.status, "error": error, "answer": outcome.text[:ANSWER_LENGTH]}


def _failed(webhook: Webhook, outcome: Answer | str, now: datetime, *, gave_up: bool) -> None:
    """Wait longer each time; a webhook that has failed for days is disabled."""
    pause = delay(webhook.failures + 1)
    if isinstance(outcome, Answer):
        pause = max(pause, min(float(outcome.retry_after), LONGEST_PAUSE))
    since = webhook.failing_since or (now if gave_up else None)
    facts = {"failures": webhook.failures + 1, "next_at": now + timedelta(seconds=pause), "failing_since": since}
    Webhook.objects.filter(pk=webhook.pk).update(**facts)
    if since is not None and now - since >= DISABLE:
        disable(webhook, f"Nothing has come through for {DISABLE.days} days.")


def delay(failures: int) -> float:
    """Seconds until the next attempt after so many in a row that failed."""
    pause = min(FIRST_PAUSE * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE)
    return pause * random.uniform(1 - JITTER, 1 + JITTER)


def disable(webhook: Webhook, why: str) -> None:
    """Send nothing more to it until somebody enables it. Within a unit of work."""
    if Webhook.objects.filter(pk=webhook.pk, active=True).update(active=False, disabled_why=why):
        logger.warning("Webhook %s is disabled: %s", webhook.pk, why)
        record("webhook.disable", webhook, before={"active": True}, after={"active": False, "why": why})


@unit_of_work
def prune() -> int:
    """Forget deliveries that were over long ago, PRUNED_AT_ONCE at most. Gives how many."""
    old = WebhookDelivery.objects.exclude(result=DeliveryResult.WAITING)
    pks = list(
        old.filter(created_at__lt=timezone.now() - KEPT).order_by("pk").values_list("pk", flat=True)[:PRUNED_AT_ONCE]
    )
    return WebhookDelivery.objects.filter(pk__in=pks).delete()[0]
