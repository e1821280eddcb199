"""What the templates draw with: icons, chips, progress segments, durations and times."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from dashboard.pages import words
from dashboard.pages.words import Look
from workers.models import Attempt, Worker
from workers.states import Step

register = template.Library()
MOMENT = re.compile(r"20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)")
NONE = "\N{EN DASH}"  # a missing value
DENSE = 24  # more segments than this stand closer together
PACKED = 90  # more than this have no room for gaps and edges; in a row of a table a quarter of that


@register.simple_tag
def icon(name: str, also: str = "") -> SafeString:
    """A 16 px icon from the sprite in `_icons.svg`; decoration, so hidden from assistive technology."""
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="#i-{}"/></svg>', f" {also}" if also else "", name
    )


@register.simple_tag
def chip(look: Look, variant: str = "") -> SafeString:
    """Icon and word in the colour of a state. `variant`: plain (no fill) or bare (no frame)."""
    spin = "spin" if look.icon == "spinner" else ""
    plain = variant or ("plain" if look.word in ("Completed", "Passed") else "")
    css = f"chip tone-{look.tone}" + (f" chip-{plain}" if plain else "")
    return format_html('<span class="{}">{}{}</span>', css, icon(look.icon, spin), look.word)


@register.simple_tag
def segments(kinds: Sequence[str], label: str, also: str = "") -> SafeString:
    """One bar per chunk; `kinds` are passed, failed, running, reviewing, waiting, paused, skipped or pending."""
    dense = "segments-dense" if len(kinds) > DENSE else ""
    packed = "segments-packed" if len(kinds) > (PACKED // 4 if also else PACKED) else ""
    css = " ".join(filter(None, ("segments", dense, packed, also)))
    bars = format_html_join("", '<i class="{}"></i>', ((kind,) for kind in kinds))
    return format_html('<div class="{}" role="img" aria-label="{}">{}</div>', css, label, bars)


@register.simple_tag
def step(current: str, tone: str) -> SafeString:
    """Three dashes, the current one thicker, and its word."""
    place = list(Step.values).index(current)
    dashes = format_html_join(
        "",
        "<i{}></i>",
        ((mark_safe(' class="done"' if n < place else ' class="now"' if n == place else ""),) for n in range(3)),
    )
    return format_html(
        '<span class="step tone-{}"><span class="step-dashes" aria-hidden="true">{}</span>{}</span>',
        tone,
        dashes,
        current,
    )


@register.simple_tag
def priority(value: int, show: str = "word") -> SafeString:
    """Bars and `word`; or the word `hidden` but readable; or the bars `alone`, where the word stands beside them."""
    word = words.priority_word(value)
    bars = format_html(
        '<svg class="bars" aria-hidden="true"><use href="#i-bars-{}"/></svg>', words.priority_level(value)
    )
    hidden = format_html('<span class="visually-hidden">{}</span>', word)
    label = {"word": word, "alone": ""}.get(show, hidden)
    return format_html('<span class="priority" title="Priority {}">{}{}</span>', value, bars, label)


def _span(parts: list[tuple[str, str]], attributes: SafeString | str = "") -> SafeString:
    inner = format_html_join(" ", "{}<i>{}</i>", parts)
    return format_html('<span class="span"{}>{}</span>', attributes, inner)


@register.filter
def duration(seconds: float | None) -> SafeString | str:
    """`12m 48s` with dimmed units; a dash when there is none."""
    return NONE if seconds is None else _span(words.duration_parts(seconds))


@register.simple_tag
def stopwatch(since: datetime | None, until: datetime | None = None) -> SafeString | str:
    """Time since a moment, which the page keeps ticking, or the time between two moments."""
    if since is None:
        return _span(words.clock_parts(0))
    if until:
        return _span(words.duration_parts((until - since).total_seconds()))
    ticking = format_html(' data-since="{}" aria-live="off"', int(since.timestamp() * 1000))
    return _span(words.clock_parts((timezone.now() - since).total_seconds()), ticking)


@register.simple_tag
def since(then: datetime | None, short: bool = False) -> SafeString | str:
    """`4m ago`, kept up to date by the page, with the absolute time on hover."""
    if then is None:
        return NONE
    text = words.ago(then, timezone.now())
    return format_html(
        '<time datetime="{}" data-ago="{}"{}>{}</time>',
        then.isoformat(),
        int(then.timestamp() * 1000),
        mark_safe(" data-short" if short else ""),
        text.removesuffix(" ago") if short else text,
    )


@register.simple_tag
def clock(moment: datetime | None, form: str = "minute") -> SafeString | str:
    """A time of day, which the page turns into the reader's own zone. `form`: minute, second or date."""
    if moment is None:
        return NONE
    text = moment.strftime({"minute": "%H:%M", "second": "%H:%M:%S", "date": "%Y-%m-%d %H:%M"}[form])
    return format_html('<time datetime="{}" data-clock="{}">{}</time>', moment.isoformat(), form, text)


@register.filter
def timed(text: str) -> SafeString:
    """A text of ours in which a moment, as ISO 8601, becomes a time of day in the reader's zone."""
    for found in MOMENT.finditer(text):
        with suppress(ValueError):  # the 31st of February
            before, after = text[: found.start()], text[found.end() :]
            return format_html("{}{}{}", before, clock(datetime.fromisoformat(found[0])), after)
    return format_html("{}", text)


@register.filter
def size(count: int) -> str:
    """`212 kB`."""
    return words.size(count)


@register.filter
def binary_size(count: int) -> str:
    """`16 GiB`, as memory is sold."""
    return f"{count / 2**30:.0f} GiB"


@register.filter
def code_spans(text: str) -> SafeString:
    """The text with what stands in `backquotes` as code."""
    parts = enumerate(text.split("`"))
    return format_html_join("", "{}", ((format_html("<code>{}</code>", part) if n % 2 else part,) for n, part in parts))


@register.filter
def amount(number: int) -> str:
    """`184k`."""
    return words.amount(number)


@register.filter
def dollars(cost: Decimal) -> str:
    """`$1.92`."""
    return words.dollars(cost)


@register.filter
def counted(number: int, noun: str) -> str:
    """`3|counted:"chunk"` gives `3 chunks`."""
    return words.count(number, noun)


@register.simple_tag
def usage(row: Worker | Attempt) -> SafeString:
    """`184k tokens $1.92`: what agents have used for it; without tokens or dollars where nobody told them."""
    amount = row.tokens_in + row.tokens_out
    tokens = format_html("{} <i>tokens</i>", words.amount(amount)) if amount else ""
    parts = [part for part in (tokens, words.dollars(row.cost) if row.cost else "") if part]
    return format_html('<span class="usage">{}</span>', format_html_join(" ", "{}", ((part,) for part in parts)))


@register.filter
def cached(row: Worker | Attempt) -> str:
    """`of these 150k read from a cache, 2.0k written to one`: how many of the tokens in; "" for none."""
    parts = ((row.cached_read, "read from a cache"), (row.cached_written, "written to a cache"))
    told = ", ".join(f"{words.amount(number)} {what}" for number, what in parts if number)
    return f"of these {told}" if told else ""


@register.filter
def within(text: str, root: str) -> str:
    """The text with paths below `root` as they are called within it."""
    return text.replace(f"{root.rstrip('/')}/", "") if root.strip("/") else text


register.filter("visible", words.visible)


@register.filter
def at(mapping: dict[Any, Any], key: Any) -> Any:
    """The value of a mapping under a key that is a variable."""
    return mapping.get(key)
