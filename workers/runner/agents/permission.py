"""What an agent may do unasked, and how its requests for permission are answered."""

import fnmatch
from dataclasses import dataclass, field
from typing import Any

from acp import schema

# How people call kinds of tools, and the protocol.
KINDS = {name: name for name in ("read", "edit", "delete", "move", "search", "execute", "think", "fetch", "other")}
KINDS |= {"bash": "execute", "shell": "execute", "write": "edit", "grep": "search", "webfetch": "fetch"}
JOINS = set(";&|<>$`()\n\r")  # by which a shell's command may hold another one
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
        """Whether an entry names this call: a kind such as `edit`, a kind with a pattern for its command or for the
        paths of its files, such as `edit(src/*)`, or a pattern for commands alone, such as `git status*`.

        What an agent calls the thing does not count, and a command that may hold a second one only where the entry has
        the very characters.
        """
        kind, bracket, pattern = entry.strip().removesuffix(")").partition("(")
        if not bracket:
            kind, pattern = ("", entry.strip()) if entry.strip() not in KINDS else (entry.strip(), "")
        if kind and KINDS.get(kind, kind) != call.kind:
            return False
        if kind and not pattern:
            return True
        if command := command_of(call.raw_input):
            joins = set(command) & JOINS - set(pattern)
            return not joins and fnmatch.fnmatchcase(command, pattern)
        paths = [place.path for place in call.locations or []]
        paths += [item.path for item in call.content or [] if item.type == "diff"]
        return bool(kind and paths) and all(_is_below(path, pattern) for path in paths)


def _is_below(path: str, pattern: str) -> bool:
    """Whether a path fits the pattern, whole or by its end, and does not climb."""
    fits = fnmatch.fnmatchcase(path, pattern)
    if not pattern.startswith("/"):
        fits |= fnmatch.fnmatchcase(path, f"*/{pattern}")
    return fits and ".." not in path.split("/")


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
