"""Webhooks, for administrators: the list with a form, and each with what was sent to it."""

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from dashboard import access
from dashboard.models import Webhook
from dashboard.pages.page import go, show
from dashboard.webhooks import verbs
from queue_app.errors import BadValue
from specs.models import Project
from workers.events import SHAPES
from workers.states import EventKind

NOISY = {EventKind.WORKER_PROGRESS}  # several a second: not chosen unless somebody does
MOST = 50  # deliveries on the page


@never_cache
@access.administering("GET", "HEAD", "POST")
def index(request: HttpRequest) -> HttpResponse:
    """GET: every webhook, with a form. POST: make one, and show its secret, here and nowhere else."""
    if request.method != "POST":
        return _list(request, {"url": "", "kinds": set(EventKind.values) - NOISY, "project": ""})
    form: dict[str, Any] = {
        "url": request.POST.get("url", ""),
        "kinds": set(request.POST.getlist("kinds")),
        "project": request.POST.get("project", ""),
    }
    try:
        by = request.user.get_username()
        made, secret = verbs.create(form["url"], _kinds(form["kinds"]), _project(form["project"]), by=by)
    except BadValue as error:
        return _list(request, form, error=str(error))
    return _list(request, {"url": "", "kinds": form["kinds"], "project": ""}, secret=secret, made=made.url)


def _list(
    request: HttpRequest, form: dict[str, Any], *, error: str = "", secret: str = "", made: str = ""
) -> HttpResponse:
    field, _, why = error.partition(": ")
    context = {
        "webhooks": Webhook.objects.select_related("project"),
        "form": form,
        "kinds": _described(form["kinds"]),
        "projects": Project.objects.order_by("name").values_list("pk", "name"),
        "errors": {field: why} if error else {},
        "secret": secret,
        "made": made,
    }
    status = HTTPStatus.BAD_REQUEST if error else HTTPStatus.OK
    return show(request, "webhooks/index.html", context, section="webhooks", status=status)


def _described(chosen: set[str]) -> list[tuple[str, str, bool]]:
    """Each kind, what it means, and whether it is chosen."""
    return [(kind, SHAPES[kind].words, kind in chosen) for kind in EventKind.values]


def _kinds(chosen: set[str]) -> set[str]:
    """As they are stored: all of them are none. Raises BadValue."""
    if not chosen:
        raise BadValue("kinds: choose at least one.")
    return set() if chosen == set(EventKind.values) else chosen


def _project(text: str) -> Project | None:
    """Raises BadValue."""
    if not text:
        return None
    found = (
        Project.objects.filter(pk=int(text)).first() if text.isascii() and text.isdigit() and len(text) < 19 else None
    )
    if found is None:
        raise BadValue("project: is not there any more.")
    return found


@access.administering("GET", "HEAD")
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One webhook and the last that was sent to it."""
    return _detail(request, access.get_webhook(request.user, pk))


def _detail(request: HttpRequest, webhook: Webhook, secret: str = "") -> HttpResponse:
    deliveries = webhook.deliveries.all()[:MOST]
    context = {"webhook": webhook, "deliveries": deliveries, "most": MOST, "secret": secret}
    return show(request, "webhooks/detail.html", context, section="webhooks")


@never_cache
@access.administering()
def rotate(request: HttpRequest, pk: int) -> HttpResponse:
    """Replace its secret, and show the new one, here and nowhere else."""
    webhook = access.get_webhook(request.user, pk)
    secret = verbs.rotate(webhook, by=request.user.get_username())
    return _detail(request, webhook, secret)


@access.administering()
def test(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a test event sent."""
    verbs.try_out(access.get_webhook(request.user, pk), by=request.user.get_username())
    messages.success(request, "A test event is on its way; look again in some seconds")
    return redirect("webhook", pk=pk)


@access.administering("POST", "DELETE")
def active(request: HttpRequest, pk: int) -> HttpResponse:
    """POST: enable it, for what happens from now on. DELETE: disable it."""
    webhook, wanted = access.get_webhook(request.user, pk), request.method == "POST"
    verbs.change(webhook, by=request.user.get_username(), active=wanted)
    messages.success(request, "The webhook is enabled" if wanted else "The webhook is disabled")
    return go(request, reverse("webhook", args=[pk]))


@access.administering()
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget it."""
    webhook = access.get_webhook(request.user, pk)
    verbs.delete(webhook, by=request.user.get_username())
    messages.success(request, f"Deleted the webhook to {webhook.url}")
    return go(request, reverse("webhooks"))


@access.administering()
def redeliver(request: HttpRequest, pk: int) -> HttpResponse:
    """Send something again."""
    delivery = access.get_delivery(request.user, pk)
    verbs.redeliver(delivery, by=request.user.get_username())
    messages.success(request, "It is sent again; look again in some seconds")
    return redirect("webhook", pk=delivery.webhook_id)
