"""The files that attempts write, read by byte offset."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.http import FileResponse, Http404

from workers.models import Attempt
from workers.states import AttemptStatus

BLOCK = 256 * 1024  # bytes of one reply
FIRST_LOOK = 512 * 1024  # a first look at a long log begins this far before its end


@dataclass(frozen=True)
class Block:
    """A part of a file. `offset` is where to go on, `skipped` how much was left out before it, `size` the file's.

    `more`: there is more already; `complete`: none will follow.
    """

    offset: int
    content: bytes
    skipped: int
    size: int
    more: bool
    complete: bool


def read(attempt: Attempt, path: Path, offset: int) -> Block:
    """What the attempt's file holds from `offset` on, in whole lines where there are any.

    With a negative offset a long file begins near its end.
    """
    ended = attempt.status != AttemptStatus.RUNNING  # read before the file, so that no last line is missed
    try:
        with path.open("rb") as file:
            return _read(file, offset, ended)
    except FileNotFoundError:
        return Block(0, b"", 0, 0, more=False, complete=ended)


def _read(file: BinaryIO, offset: int, ended: bool) -> Block:
    end = file.seek(0, 2)
    start, skipped = min(offset, end), 0
    if offset < 0:
        start = skipped = _line_start(file, end - FIRST_LOOK) if end > FIRST_LOOK else 0
    file.seek(start)
    block = file.read(BLOCK)
    more = start + len(block) < end
    if more:
        block = _whole(block)
    elif not ended:
        block = _whole_characters(block)
    return Block(start + len(block), block, skipped, end, more, complete=ended and not more)


def _line_start(file: BinaryIO, near: int) -> int:
    """The start of the first line after `near`; `near` itself when no line ends soon."""
    file.seek(near)
    found = file.read(64 * 1024).find(b"\n")
    return near + found + 1 if found >= 0 else near


def _whole(block: bytes) -> bytes:
    """The block up to its last line end; a line that is longer than a block is cut between characters."""
    end = block.rfind(b"\n") + 1
    return block[:end] if end else _whole_characters(block)


def _whole_characters(block: bytes) -> bytes:
    """The block without a character at its end of which the rest is still to come."""
    for back in range(1, min(4, len(block)) + 1):
        byte = block[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return block[:-back] if length > back else block
        if byte < 0x80:
            break
    return block


def file_of(attempt: Attempt, path: Path, content_type: str, missing: str) -> FileResponse:
    """A file of an attempt to be kept under a name that says whose it is. Raises Http404 with `missing`."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise Http404(missing) from None
    name = f"worker-{attempt.chunk.worker_id}-chunk-{attempt.chunk.ordinal}-attempt-{attempt.number}{path.suffix}"
    return FileResponse(file, as_attachment=True, filename=name, content_type=content_type)
