"""What an agent says and does in an attempt: one JSON object a line beside the log, and plain text in the log."""

import asyncio
import difflib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workers.runner.masking import Mask

SUFFIX = ".ndjson"
FLUSH_SECONDS = 0.2  # pieces of text within that time become one line
FLUSH_CHARS = 4000
ITEM_CHARS = 200_000  # of one output, input or side of a diff
SIZE_LIMIT = 64 * 1024 * 1024
MOST_LINES = 5000  # that are compared
LOG_CHARS = 20_000  # of one tool's output, in the log


class Transcript:
    """Appends entries. What goes on is told at most every FLUSH_SECONDS."""

    def __init__(
        self, log: Path, mask: Mask, write_log: Callable[[bytes], None], on_growth: Callable[[int], None]
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(log.with_suffix(SUFFIX), flags, 0o600)
        self._size = os.fstat(self._fd).st_size
        self.mask = mask
        self.entries = 0  # that were added between texts
        self._write_log = write_log
        self._on_growth = on_growth
        self._pending: tuple[str, str, str] | None = None  # kind, id and text of the piece that still grows
        self._stream = mask.stream()  # what of that piece is held back
        self._timer: asyncio.TimerHandle | None = None
        self._is_full = False

    def add(self, kind: str, **fields: Any) -> None:
        """Add an entry, after the text before it."""
        if self._fd < 0:
            return
        self._settle(whole=True)
        self.entries += 1
        self._store(kind, {name: shortened(value) for name, value in self.mask.fields(fields).items()})
        self._flush_soon()

    def say(self, kind: str, identity: str, text: str) -> None:
        """Add a piece to a text (`text` or `thought`) that grows."""
        if self._fd < 0:
            return
        if self._pending and self._pending[:2] != (kind, identity):
            self._settle(whole=True)
        before = self._pending[2] if self._pending else ""
        self._pending = (kind, identity, before + text)
        if len(self._pending[2]) >= FLUSH_CHARS:
            self._settle()
        self._flush_soon()

    def note(self, text: str, level: str = "info") -> None:
        """Add a sentence of ours."""
        self.add("note", text=text, level=level)
        self.log(f"── {text} ──\n")

    def log(self, text: str) -> None:
        """Add to the log alone."""
        if self._fd < 0:
            return
        self._write_log(self.mask.text(text).encode(errors="replace"))

    def close(self) -> None:
        """Write what is still to be written, and tell how far it reaches. What comes later is nobody's."""
        self._settle(whole=True)
        if self._timer is not None:
            self._timer.cancel()
        self._on_growth(self._size)
        os.close(self._fd)
        self._fd = -1

    def _flush_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._settle()
        self._on_growth(self._size)

    def _settle(self, *, whole: bool = False) -> None:
        """Write the piece of text that grows, but for what may be the beginning of a secret."""
        if self._pending is None:
            return
        kind, identity, text = self._pending
        shown = self._stream.feed_text(text) + (self._stream.flush_text() if whole else "")
        self._pending = None if whole else (kind, identity, "")
        if shown:
            self._store(kind, {"id": identity, "text": shown})
            if kind == "text":
                self._write_log(shown.encode(errors="replace"))

    def _store(self, kind: str, fields: dict[str, Any]) -> None:
        if self._is_full:
            return
        if self._size > SIZE_LIMIT:
            self._is_full = True
            kind, fields = "note", {"text": "The transcript is full. The log goes on.", "level": "warn"}
        entry = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "kind": kind, **fields}
        data = json.dumps(entry, ensure_ascii=False, separators=(",", ":"), default=str)
        raw = data.encode(errors="replace") + b"\n"
        while raw:
            written = os.write(self._fd, raw)
            self._size += written
            raw = raw[written:]


def cut(value: Any, limit: int = ITEM_CHARS) -> Any:
    """A text, or a JSON value as it is unless it is too long as text."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if len(text) <= limit:
        return value
    return f"{text[:limit]}\n… {len(text) - limit:,} more characters"


def shortened(value: Any) -> Any:
    """A JSON value whose texts are cut. Secrets are hidden before: half of one could not be found any more."""
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if isinstance(value, dict):
        return cut({name: shortened(item) for name, item in value.items()}, 4 * ITEM_CHARS)
    return value


def changed_lines(old: str | None, new: str) -> tuple[int, int]:
    """How many lines a diff adds and removes; of two very long texts, only by how much they differ in length."""
    added = removed = 0
    before, after = (old or "").splitlines(), new.splitlines()
    if len(before) + len(after) > MOST_LINES:
        return max(0, len(after) - len(before)), max(0, len(before) - len(after))
    for tag, start, end, new_start, new_end in difflib.SequenceMatcher(
        None, before, after, autojunk=True
    ).get_opcodes():
        if tag != "equal":
            removed += end - start
            added += new_end - new_start
    return added, removed
