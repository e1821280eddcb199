"""The logs of attempts on the page of their worker."""

from django.http import HttpRequest, HttpResponse, JsonResponse

from dashboard import access, logs
from workers.models import Attempt, Worker


def chosen(worker: Worker, wanted: str) -> Attempt | None:
    """The attempt whose log the worker's page shows: the wanted one of this worker, else the newest."""
    mine = Attempt.objects.filter(chunk__worker=worker).select_related("chunk__worker")
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
    found = logs.read(attempt, attempt.log_path, _offset(request.GET.get("offset", "")))
    reply = {name: value for name, value in vars(found).items() if name != "content"}
    text = found.content.decode(errors="replace")
    return JsonResponse({**reply, "text": text}, headers={"Cache-Control": "no-store"})


def _offset(text: str) -> int:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 18 else -1


@access.looking()
def download(request: HttpRequest, pk: int) -> HttpResponse:
    """The raw file."""
    attempt = access.get_attempt(request.user, pk)
    return logs.file_of(attempt, attempt.log_path, "text/plain; charset=utf-8", "This attempt has written nothing.")
