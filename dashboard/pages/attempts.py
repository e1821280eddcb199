"""The logs of attempts, read from their files by byte offset."""

from pathlib import Path
from typing import BinaryIO

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse

from dashboard import access
from workers.models import Attempt, Worker
from workers.states import AttemptStatus

BLOCK = 256 * 1024  # bytes of one reply
FIRST_LOOK = 512 * 1024  # a first look at a long log begins this far before its end


def chosen(worker: Worker, wanted: str) -> Attempt | None:
    """The attempt whose log the worker's page shows: the wanted one of this worker, else the newest."""
    mine = Attempt.objects.filter(chunk__worker=worker).select_related("chunk")
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 18 and (found := mine.filter(pk=int(wanted)).first()):
        return found
    return mine.order_by("-chunk__ordinal", "-number").first()


@access.looking()
def log(request: HttpRequest, pk: int) -> HttpResponse:
    """What the log holds from `offset` on, in whole lines where there are any.

    `offset` in the reply is where to go on, `more` whether there is more already, `complete` whether none will
    follow. Without `offset`, or with a negative one, a long log begins near its end and `skipped` says how much
    was left out. Bytes that are not UTF-8 are shown as replacement characters.
    """
    attempt = access.get_attempt(request.user, pk)
    ended = attempt.status != AttemptStatus.RUNNING  # read before the file, so that no last line is missed
    try:
        with attempt.log_path.open("rb") as file:
            reply = _read(file, _offset(request.GET.get("offset", "")), ended)
    except FileNotFoundError:
        reply = {"offset": 0, "text": "", "skipped": 0, "size": 0, "more": False}
    return JsonResponse({**reply, "complete": ended and not reply["more"]}, headers={"Cache-Control": "no-store"})


def _offset(text: str) -> int:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 18 else -1


def _read(file: BinaryIO, offset: int, ended: bool) -> dict[str, int | str | bool]:
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
    text = block.decode(errors="replace")
    return {"offset": start + len(block), "text": text, "skipped": skipped, "size": end, "more": more}


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


@access.looking()
def download(request: HttpRequest, pk: int) -> HttpResponse:
    """The raw file."""
    attempt = access.get_attempt(request.user, pk)
    return file_of(attempt, attempt.log_path, "text/plain; charset=utf-8", "This attempt has written nothing.")


def file_of(attempt: Attempt, path: Path, content_type: str, missing: str) -> FileResponse:
    """A file of an attempt to be kept under a name that says whose it is. Raises Http404 with `missing`."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise Http404(missing) from None
    name = f"worker-{attempt.chunk.worker_id}-chunk-{attempt.chunk.ordinal}-attempt-{attempt.number}{path.suffix}"
    return FileResponse(file, as_attachment=True, filename=name, content_type=content_type)
