"""How numbers, times and states are put into words; the same everywhere on the pages."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from workers.models import Worker
from workers.states import AttemptStatus, Step, Wish, WorkerStatus

DAY = 86_400
# They change the order in which a line is read, or are not seen at all: https://trojansource.codes
HIDDEN = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


@dataclass(frozen=True)
class Look:
    """How a state is shown: always icon, word and colour."""

    word: str
    icon: str
    tone: str


STARTING = Look("Starting", "starting", "mute")
RUNNING = Look("Running", "running", "accent")
PAUSED = Look("Paused", "paused", "info")
ATTENTION = Look("Needs attention", "attention", "warn")

WORKER_LOOKS = {
    WorkerStatus.IDLE: STARTING,
    WorkerStatus.RUNNING: RUNNING,
    WorkerStatus.PAUSED: PAUSED,
    WorkerStatus.COMPLETED: Look("Completed", "completed", "accent"),
    WorkerStatus.FAILED: Look("Failed", "failed", "bad"),
    WorkerStatus.STOPPED: Look("Stopped", "stopped", "mute"),
}
ATTEMPT_LOOKS = {
    AttemptStatus.RUNNING: RUNNING,
    AttemptStatus.PASSED: Look("Passed", "completed", "accent"),
    AttemptStatus.FAILED: Look("Failed", "failed", "bad"),
    AttemptStatus.INTERRUPTED: Look("Interrupted", "stopped", "mute"),
    AttemptStatus.LOST: Look("Lost", "stale", "warn"),
}


def transition(worker: Worker) -> str:
    """The word for a wish that has not come true yet, empty when wish and fact agree."""
    if not worker.is_active:
        return ""
    if worker.desired == Wish.STOP:
        return "Stopping"
    if worker.desired == Wish.PAUSE and worker.status != WorkerStatus.PAUSED:
        return "Pausing"
    if worker.desired == Wish.RUN and worker.status == WorkerStatus.PAUSED:
        return "Resuming"
    return ""


def worker_look(worker: Worker) -> Look:
    """The look of a worker's chip."""
    if word := transition(worker):
        return Look(word, "spinner", "mute")
    if worker.is_active and worker.attention:
        return ATTENTION
    return WORKER_LOOKS[WorkerStatus(worker.status)]


def slot_icon(worker: Worker) -> str:
    """The icon of a worker's slot; reviewing has one of its own."""
    look = worker_look(worker)
    return "reviewing" if look is RUNNING and worker.step == Step.REVIEWING else look.icon


def duration_parts(seconds: float) -> list[tuple[str, str]]:
    """`[("12", "m"), ("48", "s")]`: at most two units, milliseconds below one second."""
    whole = max(0, int(seconds))
    if 0 < seconds < 1:
        return [(str(max(1, round(seconds * 1000))), "ms")]
    if whole < 60:
        return [(str(whole), "s")]
    large, small = clock_parts(whole)
    return [large] if int(small[0]) == 0 else [large, small]


def clock_parts(seconds: float) -> list[tuple[str, str]]:
    """Like `duration_parts`, but in minutes from the start, so that a running clock keeps its width."""
    whole = max(0, int(seconds))
    if whole < 3600:
        return [(str(whole // 60), "m"), (f"{whole % 60:02d}", "s")]
    if whole < DAY:
        return [(str(whole // 3600), "h"), (f"{whole % 3600 // 60:02d}", "m")]
    return [(str(whole // DAY), "d"), (f"{whole % DAY // 3600:02d}", "h")]


def duration(seconds: float | timedelta) -> str:
    """`12m 48s`, `1h 12m`, `214ms`."""
    value = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    return " ".join(number + unit for number, unit in duration_parts(value))


def ago(then: datetime, now: datetime) -> str:
    """`now`, `12s ago`, `4m ago`, `3h ago`, `5d ago`; a date from seven days on."""
    seconds = int((now - then).total_seconds())
    if seconds < 1:
        return "now"
    for size, unit in ((60, "s"), (3600, "m"), (DAY, "h"), (7 * DAY, "d")):
        if seconds < size:
            return f"{seconds // {'s': 1, 'm': 60, 'h': 3600, 'd': DAY}[unit]}{unit} ago"
    return f"{then:%Y-%m-%d}"


def size(count: int) -> str:
    """`512 B`, `4.2 kB`, `212 kB`, `1.3 MB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            return f"{value:.1f} {unit}" if unit != "B" and value < 9.95 else f"{value:.0f} {unit}"
        value /= 1000
    return ""


def amount(number: int) -> str:
    """`912`, `4.2k`, `184k`, `1.3M`: how many, where the exact number does not matter."""
    value = float(number)
    for unit in ("", "k", "M", "G"):
        if value < 999.5 or unit == "G":
            return f"{value:.1f}{unit}" if unit and value < 9.95 else f"{value:.0f}{unit}"
        value /= 1000
    return ""


def dollars(cost: Decimal) -> str:
    """`$1.92`; below a cent with as many digits as it takes to see it."""
    return f"${cost:,.2f}" if cost >= Decimal("0.01") or not cost else f"${cost:.4f}"


PRIORITIES = (("Low", -10), ("Normal", 0), ("High", 10), ("Urgent", 20))


def priority_level(priority: int) -> int:
    """1 (low) to 4 (urgent): how many bars a priority from -100 to 100 shows."""
    return 1 + sum(priority >= value for _, value in PRIORITIES[1:])


def priority_word(priority: int) -> str:
    """Low, Normal, High or Urgent."""
    return PRIORITIES[priority_level(priority) - 1][0]


def count(number: int, one: str, many: str = "") -> str:
    """`1 spec`, `3 specs`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def visible(text: str) -> str:
    """The text with characters that are not seen, or that change the order of reading, by their numbers."""
    return HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)
