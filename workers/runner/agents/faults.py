"""What can go wrong with an agent or with the provider of its model, told apart."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from workers.runner.executors.base import Reason

TEXT_LIMIT = 600
AUTH_REQUIRED = -32000  # Agent Client Protocol, "Error codes"

# The first that matches names the fault. Providers word the same thing in many ways; none has a common code.
PROVIDER_FAULTS = (
    (
        Reason.PROVIDER_RATE_LIMIT,
        r"\b429\b|rate.?limit|too many requests|quota|usage limit|overloaded|\b529\b|resource.?exhausted",
    ),
    (
        Reason.PROVIDER_CREDENTIALS,
        r"\b401\b|\b403\b|unauthori[sz]ed|forbidden|api.?key|credential|authenticat|not logged in|sign.?in|/login",
    ),
    (
        Reason.PROVIDER_MODEL,
        r"model.{0,80}?(not found|not exist|unknown|unsupported|not supported|not available|invalid)"
        r"|(unknown|invalid|no such|unsupported).{0,20}model|model_?not_?found|providermodelnotfound",
    ),
    (
        Reason.PROVIDER_CONNECTION,
        r"econn|enotfound|etimedout|epipe|socket|network|fetch failed|connection|connect|timed? ?out|unreachable"
        r"|unable to reach|\b50[0234]\b|bad gateway|service unavailable|terminated",
    ),
)
WHAT = {
    Reason.PROVIDER_RATE_LIMIT: "The provider's rate limit is reached",
    Reason.PROVIDER_CREDENTIALS: "The provider refused the credentials",
    Reason.PROVIDER_MODEL: "The model is not known",
    Reason.PROVIDER_CONNECTION: "The connection to the provider failed",
    Reason.PROVIDER_ERROR: "The agent reported an error",
}
RETRY_AFTER = re.compile(
    r"""(?:retry|try again|reset)[\w\s-]*?(?:after|in|:)["'\s:]*(\d+(?:\.\d+)?)\s*(ms|s|m|h)?""", re.I
)
RETRY_AT = re.compile(r"""reset[\w\s-]*?(?:at|:)["'\s:]*(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))""", re.I)
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass
class Fault(Exception):
    """Why an agent's work could not go on. `until`: when the provider takes requests again, if it said so."""

    reason: Reason
    message: str
    until: datetime | None = None
    is_final: bool = False  # it was tried often enough

    def __str__(self) -> str:
        return self.message


def from_error(code: int, message: str, data: Any, now: datetime | None = None) -> Fault:
    """The fault that an error reply of an agent stands for."""
    said = " ".join(dict.fromkeys(text for text in (message, *_texts(data)) if text and text != "Internal error"))
    said = said.removeprefix("Internal error: ")
    everything = f"{message} {json.dumps(data, default=str)}"
    reason = Reason.PROVIDER_ERROR
    if code == AUTH_REQUIRED:
        reason = Reason.PROVIDER_CREDENTIALS
    else:
        reason = next((name for name, words in PROVIDER_FAULTS if re.search(words, everything, re.I)), reason)
    until = reset_time(everything, now or datetime.now(UTC)) if reason is Reason.PROVIDER_RATE_LIMIT else None
    return Fault(reason, f"{WHAT[reason]}: {_cut(said or message)}", until)


def reset_time(text: str, now: datetime) -> datetime | None:
    """When a rate limit ends, as far as the text says it: "Retry-After: 12", "try again in 2m", "reset at 2026-…"."""
    try:
        if found := RETRY_AT.search(text):
            return datetime.fromisoformat(found[1])
        if found := RETRY_AFTER.search(text):
            return now + timedelta(seconds=float(found[1]) * UNITS[(found[2] or "s").lower()])
    except (ValueError, OverflowError):  # no time that there is
        return None
    return None


def _texts(data: Any) -> Iterator[str]:
    """The sentences in an error's data, whatever its shape."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for name in ("message", "details", "detail", "error", "reason", "data"):
            yield from _texts(data.get(name))


def _cut(text: str) -> str:
    text = " ".join(text.split())
    if len(text) > TEXT_LIMIT:
        return text[: TEXT_LIMIT - 1] + "…"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
