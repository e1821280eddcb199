"""What processes tell of what they do: an event a line, for people or as JSON, with the ids of what it is about.

Everybody logs by `logging.getLogger(__name__)`. What a line is about is added here: the process, the request
(`dashboard.requests`), the worker and its attempt (`structlog.contextvars`, bound by `workers.driving` and the engine).

Nothing that came from outside can end a line, begin another one, or steer a terminal.
"""

import math
import os
import re
import stat
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from django.utils.functional import SimpleLazyObject, empty
from structlog import contextvars, dev, processors, stdlib
from structlog.typing import Processor

if TYPE_CHECKING:
    from django.http import HttpRequest

Event = MutableMapping[str, Any]
Redactor = Callable[[str], str]
Kind = str  # of lines: "console" or "json"

OURS = ("specs", "workers", "queue_app", "dashboard")
LONGEST = 20_000  # characters of one text; the rest of a longer one is left out
NOT_TOLD = ("request", "response", "stack_info")  # what Django adds to its records: its text holds whole addresses
PADDING = 40  # of an event on a terminal
# Ends a line somewhere, steers a terminal, turns the direction of what follows, or has no place in UTF-8.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# The token of a sign-in link, which is part of an address, and those of the API.
TOKENS = re.compile(r"(/sign-in/|\bspecyard_)[\w-]{20,}", re.ASCII)
INDENT = "    | "


@dataclass(frozen=True)
class Asked:
    """The request that is answered now, and what it is called."""

    id: str
    request: "HttpRequest"

    @property
    def user(self) -> str:
        """Who asks, as far as somebody has wanted to know: nobody is looked up for a log."""
        user = getattr(self.request, "user", None)
        if user is None or (isinstance(user, SimpleLazyObject) and user._wrapped is empty):
            return ""
        return str(user.get_username())


asked: ContextVar[Asked | None] = ContextVar("specyard_asked", default=None)
process: dict[str, str] = {}  # what every line of this process says


def identify(**facts: str) -> None:
    """Say what this process is, in every line from now on."""
    process.update(facts)


def request_id() -> str:
    """What the request that is answered now is called; "" outside of one."""
    now = asked.get()
    return now.id if now else ""


# Secrets


def without_tokens(text: str) -> str:
    """The text without what signs somebody in."""
    return TOKENS.sub(r"\1…", text)


redactors: list[Redactor] = [without_tokens]  # whoever knows further secrets adds what hides them


def redact(logger: Any, method: str, event: Event) -> Event:
    """Processor: every text of the event, however deep, goes through all `redactors`, and is made short."""
    return {name: _each(value, _redacted) for name, value in event.items()}


def _redacted(text: str) -> str:
    for redactor in redactors:
        text = redactor(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text) - LONGEST} more)"


def _each(value: Any, change: Redactor) -> Any:
    """The value with all its texts changed; what is neither text, number nor a collection becomes its text."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Mapping):
        return {change(str(name)): _each(item, change) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_each(item, change) for item in value]
    return change(str(value))


# Lines


def add_ids(logger: Any, method: str, event: Event) -> Event:
    """Processor: what this process is, and which request is answered."""
    about: dict[str, str] = dict(process)
    if (now := asked.get()) is not None:
        about["request_id"] = now.id
        if user := now.user:
            about["user"] = user
    return {**about, **event}


def leave_out(logger: Any, method: str, event: Event) -> Event:
    """Processor: without what is of no use in a line."""
    for name in NOT_TOLD:
        event.pop(name, None)
    return event


def on_one_line(logger: Any, method: str, event: Event) -> Event:
    """Processor: control characters become visible; a traceback keeps its lines, set off from those of the log."""
    traceback = event.pop("exception", None)
    event = {name: _each(value, visible) for name, value in event.items()}
    if traceback:
        event["exception"] = "\n".join(INDENT + visible(line) for line in str(traceback).split("\n"))
    return event


def visible(text: str) -> str:
    """The text with its control characters as escapes."""
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def formatter(kind: str) -> stdlib.ProcessorFormatter:
    """What makes a line of a record: `kind` is "console", "json", or "auto", which looks at where it goes."""
    shared: list[Processor] = [
        contextvars.merge_contextvars,
        add_ids,
        stdlib.add_log_level,
        stdlib.add_logger_name,
        stdlib.ExtraAdder(),
        processors.TimeStamper(fmt="iso", utc=True),
    ]
    told = suits(sys.stderr) if kind == "auto" else kind
    last: list[Processor] = [processors.JSONRenderer()] if told == "json" else [on_one_line, _console(sys.stderr)]
    first = stdlib.ProcessorFormatter.remove_processors_meta
    chain: list[Processor] = [first, leave_out, processors.format_exc_info, redact, *last]
    return stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=chain)


def suits(stream: TextIO) -> Kind:
    """For whom a stream is: people read terminals and files, programs read pipes and sockets."""
    try:
        number = stream.fileno()
        is_read_by_people = os.isatty(number) or stat.S_ISREG(os.fstat(number).st_mode)
    except (OSError, ValueError):  # it has none
        is_read_by_people = True
    return "console" if is_read_by_people else "json"


def _console(stream: TextIO) -> dev.ConsoleRenderer:
    in_colour = stream.isatty() and not os.environ.get("NO_COLOR")
    return dev.ConsoleRenderer(colors=in_colour, pad_event_to=PADDING, exception_formatter=dev.plain_traceback)


def configuration(kind: str, level: str) -> dict[str, Any]:
    """Django's LOGGING: our own loggers tell `level` and above, those of libraries at least "warning"."""
    of_libraries = "ERROR" if level == "error" else "WARNING"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "dashboard.loglines.formatter", "kind": kind}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": of_libraries},
        "loggers": {
            **{name: {"level": level.upper()} for name in OURS},
            "django.request": {"level": "ERROR"},  # refusals are told by `dashboard.requests`, with their ids
        },
    }
