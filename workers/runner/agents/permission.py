"""What an agent may do unasked, and how its requests for permission are answered."""

import fnmatch
from dataclasses import dataclass, field
from typing import Any

from acp import schema

HARMLESS = ("read", "search", "think", "fetch")  # kinds of tools that change nothing


@dataclass
class Policy:
    """What an agent may do unasked: `ask` nothing, `allow` everything, `listed` what is listed, `read` only read."""

    kind: str
    allowed: list[str] = field(default_factory=list)

    def decide(self, call: schema.ToolCallUpdate) -> bool | None:
        """Whether to allow; None: a person decides."""
        if self.kind == "allow":
            return True
        if self.kind == "read":
            return call.kind in HARMLESS
        if self.kind == "listed" and any(self._names(entry, call) for entry in self.allowed):
            return True
        return None

    @staticmethod
    def _names(entry: str, call: schema.ToolCallUpdate) -> bool:
        """Whether an entry such as `edit`, `git *` or `bash(git *)` names this call."""
        entry = entry.strip()
        if entry.endswith(")") and "(" in entry:
            entry = entry[:-1].partition("(")[2]
        texts = [text for text in (call.title, command_of(call.raw_input)) if text]
        return entry == call.kind or any(fnmatch.fnmatchcase(text, entry) for text in texts)


def command_of(raw: Any) -> str:
    """The command that a tool call is about to run, when it says so."""
    if not isinstance(raw, dict):
        return ""
    command = raw.get("command") or raw.get("cmd") or ""
    return " ".join(map(str, command)) if isinstance(command, list) else str(command)


def choose(options: list[schema.PermissionOption], *, allow: bool) -> str:
    """The option that allows, or rejects, just this once; "" when there is none."""
    wanted = ("allow_once", "allow_always") if allow else ("reject_once", "reject_always")
    found = {option.kind: option.option_id for option in reversed(options)}
    return next((found[kind] for kind in wanted if kind in found), "")


def outcome(option: str) -> schema.RequestPermissionResponse:
    """The reply to a permission request; without an option it is cancelled."""
    if not option:
        return schema.RequestPermissionResponse(outcome=schema.DeniedOutcome(outcome="cancelled"))
    return schema.RequestPermissionResponse(outcome=schema.AllowedOutcome(outcome="selected", option_id=option))
