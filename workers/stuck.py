"""When another attempt cannot help without a person."""

import re
from collections.abc import Mapping
from typing import Any

# Reasons of the runner that stay true however often it is tried.
HOPELESS = {
    "agent_blocked",  # it says that it cannot go on
    "agent_refused",  # it declines the task
    "agent_silent",  # it has stopped answering, in spite of a long wait
    "agent_missing",  # somebody has to install it
    "profile_missing",  # somebody has to make it
    "provider_credentials",  # somebody has to sign in
    "provider_model",  # somebody has to choose another one
}
# What differs from run to run although nothing else does: durations, times of day, dates, addresses in memory.
ACCIDENTAL = re.compile(
    r"0x[0-9a-f]+"
    r"|\b(?:\d{4}-\d{2}-\d{2}[T ])?\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?Z?\b"
    r"|\b\d{4}-\d{2}-\d{2}\b"
    r"|\b\d+(?:[.,]\d+)?\s?(?:ns|µs|us|ms|s|secs?|seconds?|m|min|minutes?)\b",
    re.IGNORECASE,
)


def why(failed: Mapping[str, Any], before: Mapping[str, Any] | None, changed: bool | None) -> str:
    """Why a failed attempt leaves its chunk stuck, as a sentence; "" when another attempt may help.

    `before` is the failed attempt before it, each with reason, message and findings. `changed`: whether the attempt has
    changed the workspace; None when nobody knows.
    """
    message = failed["message"]
    if failed["reason"] in HOPELESS:
        return f"Another attempt would not help: {message}"
    if changed is False:
        return f"The attempt has changed nothing, and failed: {message}"
    if before is not None and trace(failed) == trace(before):
        return f"Two attempts in a row have failed in the same way: {message}"
    return ""


def trace(failed: Mapping[str, Any]) -> tuple[str, str]:
    """By what two failures are told to be the same."""
    return failed["reason"], ACCIDENTAL.sub("…", failed["findings"] or failed["message"])
