"""What administrators do to webhooks; the pages and the API call these verbs."""

import ipaddress
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.utils import timezone

from dashboard.events import Told, newest
from dashboard.models import DeliveryResult, Webhook, WebhookDelivery
from dashboard.models.webhook import URL_LENGTH
from dashboard.webhooks import addresses, signing
from queue_app.errors import BadValue
from specs import encryption
from specs.acting import changes, record
from specs.errors import SecretUnreadable
from specs.models import Project
from specs.text import is_storable
from workers.events import TEST
from workers.models import unit_of_work
from workers.states import EventKind

MOST_WEBHOOKS = 100
OVERLAP = timedelta(days=1)  # for which the secret before signs as well, unless told
SAID = ("url", "kinds", "project_id", "active")


@unit_of_work
def create(url: str, kinds: Iterable[str] = (), project: Project | None = None, by: str = "") -> tuple[Webhook, str]:
    """A new webhook for what happens from now on, and its secret, which nobody can ever see again. Raises BadValue."""
    if Webhook.objects.count() >= MOST_WEBHOOKS:
        raise BadValue(f"url: there are {MOST_WEBHOOKS} webhooks already, which is the most.")
    facts = {"url": checked_url(url), "kinds": checked_kinds(kinds), "project": project}
    secret = signing.new_secret()
    webhook = Webhook.objects.create(**facts, secret=encryption.encrypt(secret), cursor=newest(), created_by=by)
    record("webhook.create", webhook, after=_said(webhook), by=by)
    return webhook, secret


@unit_of_work
def change(webhook: Webhook, by: str = "", **given: Any) -> None:
    """Change url, kinds, project or active. One that is enabled goes on with what happens from then on.

    Raises BadValue.
    """
    fresh = Webhook.objects.select_for_update(of=("self",)).get(pk=webhook.pk)
    before = _said(fresh)
    checks = {"url": checked_url, "kinds": checked_kinds}
    facts = {name: checks[name](value) if name in checks else value for name, value in given.items()}
    if facts.get("active") and not fresh.active:
        facts |= {"cursor": newest(), "failures": 0, "next_at": None, "failing_since": None, "disabled_why": ""}
    for name, value in facts.items():
        setattr(fresh, name, value)
    fresh.save(update_fields=list(facts))
    was, now = changes(before, _said(fresh))
    if now:
        verb = {True: "enable", False: "disable"}[fresh.active] if set(now) == {"active"} else "change"
        record(f"webhook.{verb}", fresh, before=was, after=now, by=by)
    webhook.refresh_from_db()


@unit_of_work
def rotate(webhook: Webhook, overlap: timedelta = OVERLAP, by: str = "") -> str:
    """A new secret, which nobody can ever see again. The one before signs as well for as long as the overlap says.

    So the receiver may change its own in its time; without an overlap the old one proves nothing from now on.
    """
    fresh = Webhook.objects.select_for_update(of=("self",)).get(pk=webhook.pk)
    secret, until = signing.new_secret(), timezone.now() + overlap if overlap else None
    try:
        before = encryption.decrypt(fresh.secret).split()[:1] if until else []
    except SecretUnreadable:  # this is how one gets out of that
        before, until = [], None
    stored = encryption.encrypt(" ".join([secret, *before]))
    Webhook.objects.filter(pk=webhook.pk).update(secret=stored, old_secret_until=until)
    record("webhook.rotate", fresh, after={"old_secret_until": until}, by=by)
    webhook.refresh_from_db()
    return secret


@unit_of_work
def delete(webhook: Webhook, by: str = "") -> None:
    """Forget it with all its deliveries."""
    record("webhook.delete", webhook, before=_said(webhook), by=by)
    webhook.delete()


@unit_of_work
def try_out(webhook: Webhook, by: str = "") -> WebhookDelivery:
    """Have an event sent to it that says nothing but that it is a test, also while it is disabled."""
    told = Told(newest(), TEST, None, {"by": by}, timezone.now())
    facts = {"seq": told.seq, "kind": told.kind, "body": told.text, "event_at": told.at}
    record("webhook.test", webhook, by=by)
    return WebhookDelivery.objects.create(webhook=webhook, manual=True, **facts)


@unit_of_work
def redeliver(delivery: WebhookDelivery, by: str = "") -> None:
    """Send it once more, now, whatever waits; receivers know it by the same `webhook-id`."""
    fresh = WebhookDelivery.objects.select_for_update(of=("self",)).select_related("webhook").get(pk=delivery.pk)
    if fresh.result == DeliveryResult.WAITING and not fresh.manual and fresh.webhook.active:
        Webhook.objects.filter(pk=fresh.webhook_id).update(next_at=None)  # it is the next one anyhow
    else:
        WebhookDelivery.objects.filter(pk=fresh.pk).update(result=DeliveryResult.WAITING, manual=True)
    record("webhook.redeliver", fresh.webhook, after={"event": fresh.seq, "kind": fresh.kind}, by=by)
    delivery.refresh_from_db()


def checked_url(url: str) -> str:
    """The address, which is one that may be sent to as far as that can be said without asking for it."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadValue("url: is not an address such as https://example.org/specyard.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise BadValue("url: must begin with http:// or https:// and name a host.")
    if len(url) > URL_LENGTH or not is_storable(url):
        raise BadValue(f"url: must have at most {URL_LENGTH} characters.")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise BadValue("url: must be written in ASCII, without spaces.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise BadValue("url: must hold no user name, password or fragment: everybody who administers can read it.")
    if why := _refusal(parts):
        raise BadValue(f"url: {why}.")
    return url


def _refusal(parts: SplitResult) -> str:
    """Of an address in figures; names are looked up each time something is sent."""
    try:
        ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return ""
    return addresses.refusal(parts.hostname or "", settings.SPECYARD.webhook_targets)


def checked_kinds(kinds: Iterable[str]) -> list[str]:
    """The kinds, each once, in the order in which they are listed everywhere."""
    wanted = set(kinds)
    if unknown := wanted - set(EventKind.values):
        raise BadValue(f"kinds: {sorted(unknown)[0][:60]} is no kind of event.")
    return [kind for kind in EventKind.values if kind in wanted]


def _said(webhook: Webhook) -> dict[str, Any]:
    return {name.removesuffix("_id"): getattr(webhook, name) for name in SAID}
