"""Texts of others, times and sizes, as they may stand on a terminal."""

import unicodedata
from datetime import UTC, datetime, timedelta

CONTROL_PICTURES = 0x2400
DELETE = 0x7F
UNITS = ("B", "kB", "MB", "GB", "TB")


def visible(text: str) -> str:
    """The text on one line and harmless: what a terminal would obey, or nobody would see, is written out."""
    return text if text.isprintable() else "".join(char if char.isprintable() else _shown(char) for char in text)


def _shown(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(CONTROL_PICTURES + code)
    if code == DELETE:
        return "␡"
    if unicodedata.category(char) == "Zs":
        return " "
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def duration(seconds: float | None) -> str:
    """Such as 45 s, 12 min, 3 h 5 min; "" for None."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def moment(text: str | None) -> datetime | None:
    """The time that the API writes so."""
    return datetime.fromisoformat(text) if text else None


def clock(text: str | None) -> str:
    """A time of the API in this machine's zone: 14:05 today, else with its day; "" for None."""
    at = moment(text)
    if at is None:
        return ""
    local = at.astimezone()
    return f"{local:%H:%M}" if local.date() == datetime.now().astimezone().date() else f"{local:%Y-%m-%d %H:%M}"


def ago(text: str | None) -> str:
    """How long ago that was."""
    at = moment(text)
    return "" if at is None else duration(max(datetime.now(UTC) - at, timedelta()).total_seconds())


def size(count: float) -> str:
    """Bytes in units of a thousand."""
    for unit in UNITS[:-1]:
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {UNITS[-1]}"


def counted(count: int, one: str, many: str = "") -> str:
    """Such as "1 worker" and "2 workers"."""
    return f"{count} {one if count == 1 else many or one + 's'}"
