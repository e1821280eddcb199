"""The output of an attempt: raw into its log file, counted, with the end of it kept for people to read."""

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger("specyard.runner")

# What is kept of the end, raw; enough for FINDINGS_BYTES after escape sequences are taken out.
TAIL_BYTES = 32 * 1024
FINDINGS_BYTES = 8 * 1024
LAST_CHARS = 200
ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]")


class AttemptLog:
    """Appends to a log file. `size` and `lines` are those of the whole file, so that a page can read that far."""

    def __init__(self, path: str, on_output: Callable[[], None] = lambda: None) -> None:
        self.error = ""
        self.on_output = on_output
        self._tail = b""
        self._fd = _open(Path(path))
        self.size = os.fstat(self._fd).st_size
        self._newlines, self._ends_open = _count(self._fd) if self.size else (0, False)

    @property
    def lines(self) -> int:
        """Lines in the file, an unfinished last one included."""
        return self._newlines + self._ends_open

    def write(self, data: bytes) -> None:
        """Take a block of output. A full disk costs output, not the run: `error` then says so."""
        self._store(data)
        self._tail = (self._tail + data[-TAIL_BYTES:])[-TAIL_BYTES:]
        self.on_output()

    def note(self, text: str) -> None:
        """A line of ours between the output."""
        self._store((b"\n" if self._ends_open else b"") + f"── {text} ──\n".encode())
        self.on_output()

    def _store(self, data: bytes) -> None:
        if self._fd < 0:
            return
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            if not self.error:
                log.error("the log cannot be written: %s", error)
            self.error = f"The log is incomplete: {error.strerror}."
        written = data[: len(data) - len(view)]
        self.size += len(written)
        if written:
            self._newlines += written.count(b"\n")
            self._ends_open = not written.endswith(b"\n")

    def last_line(self) -> str:
        """The last line with something printable in it, without escape sequences."""
        for line in reversed(plain(self._tail[-4096:]).splitlines()):
            if text := line.strip():
                return text[-LAST_CHARS:] if len(text) > LAST_CHARS else text
        return ""

    def findings(self, reason: str) -> str:
        """The reason, then the end of the output: what the next attempt should read. At most 8 kB."""
        head = reason.encode()[: FINDINGS_BYTES // 2] + b"\n\n"
        tail = plain(self._tail).strip().encode()[-(FINDINGS_BYTES - len(head)) :]
        return (head + tail).decode(errors="ignore").strip()

    def close(self) -> None:
        """Write no more: what comes later is nobody's."""
        os.close(self._fd)
        self._fd = -1


def plain(data: bytes) -> str:
    """Output as text: no escape sequences, no control characters but line ends and tabs."""
    text = ESCAPES.sub("", data.decode("utf-8", errors="replace")).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char for char in text if char.isprintable() or char in "\n\t")


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


def _count(fd: int) -> tuple[int, bool]:
    """Newlines in a file, and whether its last line lacks one."""
    offset, newlines, block = 0, 0, b""
    while data := os.pread(fd, 1024 * 1024, offset):
        block, offset, newlines = data, offset + len(data), newlines + data.count(b"\n")
    return newlines, not block.endswith(b"\n")
