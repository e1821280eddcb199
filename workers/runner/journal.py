"""The journal of a run: append-only, numbered, one JSON object a line; what a runner says happened."""

import json
import logging
import os
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

log = logging.getLogger("specyard.runner")

Entry = dict[str, Any]

# One remembered offset per this many entries: finding entry N reads at most so many lines.
INDEX_STRIDE = 256
BLOCK = 256 * 1024


class JournalDamaged(ValueError):
    """The journal has a line in its middle that is not an entry."""


def read(path: str | Path, start: int = 1) -> list[Entry]:
    """The entries of a journal from number `start` on; [] without a file.

    A last line that was torn by a crash is left out. Raises JournalDamaged for anything else that is no entry.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return []
    return [entry for entry in _entries(data)[0] if entry["n"] >= start]


def _entries(data: bytes) -> tuple[list[Entry], int]:
    """The entries in `data` and the number of bytes that they take; a torn last line is left out."""
    lines = data.split(b"\n")
    entries: list[Entry] = []
    size = 0
    for position, line in enumerate(lines[:-1]):
        try:
            entry = json.loads(line)
            if not isinstance(entry, dict) or not isinstance(entry.get("n"), int):
                raise ValueError("not an entry")
        except ValueError as error:
            if position == len(lines) - 2 and not lines[-1]:
                break
            raise JournalDamaged(f"line {position + 1}: {error}") from error
        entries.append(entry)
        size += len(line) + 1
    return entries, size


def salvage(path: str | Path) -> list[Entry]:
    """Every line of a journal that is an entry, whatever stands between them; [] without a journal.

    For those who end a run: a journal that a command has damaged must not keep that command alive.
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [entry for line in lines if (entry := _salvaged(line)) is not None]


def _salvaged(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("kind"), str) else None


class Journal:
    """The writer's side. `size` bytes hold `last` entries; `on_append(line, offset)` hears of each new one.

    An entry that cannot be written (a full disk) waits in memory, in order, for the next `flush()`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.size = 0
        self.last = 0
        self.on_append: Callable[[bytes, int], None] = lambda line, offset: None
        self._index: list[int] = []
        self._waiting: deque[tuple[int, bytes]] = deque()

    def recover(self) -> list[Entry]:
        """Continue a journal that already exists: cuts a torn last line off and returns what stands."""
        entries, size = _entries(self.path.read_bytes())
        os.ftruncate(self.fd, size)
        offset = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                if number % INDEX_STRIDE == 0:
                    self._index.append(offset)
                offset += len(line)
        self.size = size
        self.last = entries[-1]["n"] if entries else 0
        return entries

    def append(self, kind: str, **fields: Any) -> Entry:
        """Number, write and announce one entry. It is in the file (not yet on the disk) afterwards."""
        self.last += 1
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry = {"n": self.last, "at": at, "kind": kind, **fields}
        self._waiting.append((self.last, json.dumps(entry, separators=(",", ":")).encode() + b"\n"))
        self.flush()
        return entry

    def flush(self) -> bool:
        """Write what waits; False when the file system refuses. A half-written line is taken back."""
        while self._waiting:
            number, line = self._waiting[0]
            try:
                if os.pwrite(self.fd, line, self.size) != len(line):
                    raise OSError("short write")
            except OSError as error:
                os.ftruncate(self.fd, self.size)
                log.error("the journal cannot be written, trying again: %s", error)
                return False
            self._waiting.popleft()
            offset, self.size = self.size, self.size + len(line)
            if number % INDEX_STRIDE == 1:
                self._index.append(offset)
            self.on_append(line, offset)
        return True

    @property
    def is_behind(self) -> bool:
        """Whether entries wait because the file system refused them."""
        return bool(self._waiting)

    def offset_of(self, number: int) -> int:
        """Where entry `number` begins; the end of the file when there is no such entry yet."""
        if number <= 1:
            return 0
        if number > self.last or not self._index:
            return self.size
        slot = min((number - 1) // INDEX_STRIDE, len(self._index) - 1)
        offset, current = self._index[slot], slot * INDEX_STRIDE + 1
        while current < number and offset < self.size:
            for line in self.block(offset).splitlines(keepends=True):
                if current == number:
                    break
                offset, current = offset + len(line), current + 1
        return offset

    def block(self, offset: int, size: int = BLOCK) -> bytes:
        """Whole lines from `offset` on: about `size` bytes, at least one line, b"" at the end."""
        while True:
            data = os.pread(self.fd, min(size, self.size - offset), offset)
            end = data.rfind(b"\n") + 1
            if end or offset + len(data) >= self.size:
                return data[:end]
            size *= 2

    def sync(self) -> None:
        """Have the disk hold what is written. May take long; safe to call from a thread."""
        if self.fd >= 0:
            os.fsync(self.fd)

    def finish(self) -> None:
        """Have the disk hold all of it, and close it. May take long; safe to call from a thread."""
        fd, self.fd = self.fd, -1  # whoever still writes must not meet the next file of that number
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
