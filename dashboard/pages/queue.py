"""The queue: what operators add, order and remove, whether it moves, and how many slots there are."""

from collections.abc import Iterable
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from dashboard import access
from dashboard.pages import fragments
from dashboard.pages.choices import Filter, choices
from dashboard.pages.page import done, explains_refusals, number, refused
from dashboard.pages.rows import Removed
from dashboard.pages.words import count, priority_word
from queue_app import dispatch, ordering
from queue_app.errors import AlreadyRunning, AlreadyWaiting, BadValue, NothingToDo
from queue_app.models import RANK_LENGTH, WorkerQueue, Yard
from specs.models import Spec
from specs.text import clean

MOST_AT_ONCE = 200


@access.looking("GET", "HEAD", "POST")
def index(request: HttpRequest) -> HttpResponse:
    """GET: the specs that may be added. POST: add the chosen ones."""
    if request.method == "POST":
        return add(request)
    kept = [int(text) for text in request.GET.getlist("spec")[:MOST_AT_ONCE] if _is_key(text)]
    groups = choices(Filter.parse(request.META["QUERY_STRING"]), kept)
    return render(request, "queue/_choices.html", {"groups": groups, "kept": kept})


@access.acting()
@explains_refusals
def add(request: HttpRequest) -> HttpResponse:
    """Add specs with a priority, a time and a place; those that wait or run already are named, not added twice."""
    specs = _chosen(request)
    priority, top = number(request, "priority"), request.POST.get("place") == "top"
    not_before, by = _moment(request.POST.get("not_before", "")), request.user.get_username()
    ordering.check_priority(priority or 0)
    refusals: list[str] = []
    for spec in reversed(specs) if top else specs:
        try:
            dispatch.enqueue(spec, by=by, priority=priority, not_before=not_before, top=top)
        except (AlreadyWaiting, AlreadyRunning, NothingToDo) as error:
            refusals.append(f"{spec.title}: {error}")
    if refusals and len(refusals) == len(specs):
        return refused(request, " ".join(refusals))
    said = " ".join([f"Added {count(len(specs) - len(refusals), 'spec')}.", *refusals])
    return done(request, *_regions(), fragments.active(), fragments.controls(), said=said)


def _chosen(request: HttpRequest) -> list[Spec]:
    """The specs of the form in the order in which they were chosen. Raises BadValue."""
    texts = request.POST.getlist("spec")
    if not 1 <= len(texts) <= MOST_AT_ONCE:
        raise BadValue(f"spec: choose 1 to {MOST_AT_ONCE} specs.")
    if not all(_is_key(text) for text in texts):
        raise BadValue("spec: is not a list of spec numbers.")
    wanted = list(dict.fromkeys(int(text) for text in texts))
    found = Spec.objects.select_related("project").in_bulk(wanted)
    if missing := [pk for pk in wanted if pk not in found]:
        raise BadValue(f"spec: {missing[0]} does not exist.")
    return [found[pk] for pk in wanted]


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 18


def _moment(text: str) -> datetime | None:
    """A time with its zone, as the page's script sends it. Raises BadValue."""
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise BadValue("not_before: give a date and a time, for example 2026-03-01T18:00.")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


@access.acting("DELETE")
@explains_refusals
def entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an entry out; in the reply a strip in its place offers to put it back."""
    found = access.get_entry(request.user, pk)
    if not dispatch.remove(pk, request.user.get_username()):
        raise Http404
    return done(request, *_regions(Removed(found)))


@access.acting()
@explains_refusals
def restore(request: HttpRequest) -> HttpResponse:
    """Put a removed entry back in its old place, whatever has happened to the others."""
    [spec], by = _chosen(request)[:1], request.user.get_username()
    rank, continues = clean(request.POST.get("rank", ""))[:RANK_LENGTH], number(request, "continues")
    result = dispatch.enqueue(
        spec,
        by=by,
        priority=number(request, "priority"),
        not_before=_moment(request.POST.get("not_before", "")),
        continues=spec.workers.filter(pk=continues).first() if continues else None,
    )
    if isinstance(result, WorkerQueue) and rank:
        ordering.put_back(result, rank, by)
    return done(request, *_regions(), fragments.active(), fragments.controls())


@access.acting()
@explains_refusals
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Move an entry: `after` or `before` another, or to a `place` (up, down, top, bottom)."""
    found, by = access.get_entry(request.user, pk), request.user.get_username()
    after, before, place = number(request, "after"), number(request, "before"), request.POST.get("place", "")
    if after is not None or before is not None:
        moved = ordering.move(pk, by, after=after, before=before)
    else:
        moved = ordering.move_to(pk, place, by)
    changed = moved.priority != found.priority
    said = f"{found.spec.title} now has priority {priority_word(moved.priority)} ({moved.priority})" if changed else ""
    return done(request, fragments.queue_panel(), said=said)


@access.acting()
@explains_refusals
def priority(request: HttpRequest, pk: int) -> HttpResponse:
    """Change an entry's priority."""
    found, value = access.get_entry(request.user, pk), number(request, "priority")
    if value is None:
        raise BadValue("priority: is required, for example 10.")
    ordering.set_priority(found.pk, value, request.user.get_username())
    return done(request, fragments.queue_panel())


@access.acting()
def pause(request: HttpRequest) -> HttpResponse:
    """Start nothing more; running workers go on."""
    dispatch.pause_queue(request.user.get_username())
    return done(request, *_regions())


@access.acting()
def resume(request: HttpRequest) -> HttpResponse:
    """Let the queue move again."""
    dispatch.resume_queue(request.user.get_username())
    return done(request, *_regions())


@access.acting()
@explains_refusals
def limit(request: HttpRequest) -> HttpResponse:
    """Set the limit of active workers, or change it by a number."""
    value, change = number(request, "limit"), number(request, "change")
    if value is None and change is None:
        raise BadValue("limit: is required, for example 5.")
    wanted = value if value is not None else Yard.current().limit + (change or 0)
    dispatch.set_limit(wanted, request.user.get_username())
    return done(request, *_regions())


def _regions(removed: Removed | None = None) -> Iterable[fragments.Fragment]:
    return fragments.meter(), fragments.capacity(), fragments.queue_panel(removed), fragments.status_line()
