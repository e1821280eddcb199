"""What an agent tells of its tool calls, in the words of the transcript."""

import json
from typing import Any

ON_FILES = ("read", "edit", "delete", "move")  # kinds of tools whose titles may be a bare path


def title_of(call: dict[str, Any]) -> str:
    """What a tool call is about to do."""
    kind = str(call.get("tool") or "")
    if diffs := call.get("diffs"):  # by the file itself, not by what the agent calls it
        more = f" and {len(diffs) - 1} more" if len(diffs) > 1 else ""
        return f"{kind.capitalize() or 'Change'} {diffs[0]['path']}{more}"
    title = str(call.get("title") or "Use a tool")
    return f"{kind.capitalize()} {title}" if kind in ON_FILES and " " not in title else title


def described(call: Any) -> dict[str, Any]:
    """A tool call, as far as the update says it, in the transcript's words."""
    content = call.content or []
    texts = [text_of(item.content) for item in content if item.type == "content"]
    diffs = [
        {"path": item.path, "old": item.old_text or "", "new": item.new_text or ""}
        for item in content
        if item.type == "diff"
    ]
    output = "\n".join(text for text in texts if text) or _output_of(call.raw_output)
    if code := _exit_code(call.raw_output):
        output = f"{output.rstrip()}\nexit code {code}".lstrip()
    if not diffs and call.kind == "edit" and isinstance(call.raw_input, dict):
        path, text = call.raw_input.get("filePath"), call.raw_input.get("content")
        if isinstance(path, str) and isinstance(text, str):  # the file is written whole
            diffs = [{"path": path, "old": "", "new": text}]
    fields = {
        "title": call.title,
        "tool": call.kind,
        "status": call.status,
        "input": call.raw_input or None,
        "output": output or None,
        "diffs": diffs,
        "locations": [place.path for place in call.locations or []],
    }
    return {name: value for name, value in fields.items() if value}


def _output_of(raw: Any) -> str:
    """What a tool gave back, when the agent tells it as data."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, dict):
        for name in ("output", "stdout", "result", "error", "message"):
            if isinstance(raw.get(name), str):
                return str(raw[name])
    return json.dumps(raw, ensure_ascii=False, default=str) if raw else ""


def _exit_code(raw: Any) -> int:
    """With which exit code a command ended, where the agent says so; 0 otherwise."""
    places = [raw, raw.get("metadata")] if isinstance(raw, dict) else []
    for place in places:
        for name in ("exit", "exitCode", "exit_code"):
            if isinstance(place, dict) and isinstance(place.get(name), int):
                return int(place[name])
    return 0


def text_of(content: Any) -> str:
    """The text of a content block; "" for others."""
    return str(content.text) if getattr(content, "type", "") == "text" else ""
