"""`Idempotency-Key`: a request that is sent again because its answer was lost does its work once.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from ninja.errors import HttpError

from dashboard.models import KeptAnswer
from queue_app.errors import BadValue

logger = logging.getLogger(__name__)

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT = timedelta(hours=24)
UNDER_WAY = timedelta(minutes=2)  # after which a request that has not been answered is taken for dead
LONGEST_KEY = 255
KEY_PATTERN = r'^"?[!#-~]([ !#-~]*[!#-~])?"?$'  # a string of a structured field stands in quotes
FORGOTTEN_AT_ONCE = 500
HEADERS = ("Content-Type", "Location", "ETag")
View = Callable[..., Any]


def beginning(view: View) -> View:
    """Around an operation, once its caller and its fields are known: does it, or gives what was answered before."""

    @wraps(view)
    def once(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER) if request.method == "POST" else None
        if key is None:
            return view(request, *args, **kwargs)
        answer = _take(request, _checked(key))
        if answer.code is not None:
            return _again(answer)
        request.kept_answer = answer  # type: ignore[attr-defined]
        return view(request, *args, **kwargs)

    return once


def ending(run: View) -> View:
    """Around the whole request: keeps what was answered. What did nothing may be tried again with the same key."""

    @wraps(run)
    def keeping(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response = None
        try:
            response = run(request, *args, **kwargs)
        finally:
            if (answer := getattr(request, "kept_answer", None)) is not None:
                try:
                    _keep(answer, response)
                except DatabaseError as error:  # what was done is done, and is said
                    logger.warning("An answer was not kept for its %s: %s", HEADER, error)
        return response

    return keeping


def _checked(key: str) -> str:
    name = key.strip('"')
    if len(name) > LONGEST_KEY or not re.fullmatch(KEY_PATTERN, key):
        raise BadValue(f"{HEADER}: must be 1 to {LONGEST_KEY} printable characters of ASCII.")
    return name


def _digest(request: HttpRequest) -> str:
    """What tells one request from another; keyed, because a body may hold what could be guessed from it."""
    parts = (request.method or "", request.get_full_path())
    return salted_hmac(__name__, "\0".join(parts).encode() + b"\0" + request.body, algorithm="sha256").hexdigest()


def _take(request: HttpRequest, key: str) -> KeptAnswer:
    """The answer that is kept, or a row for the one to come. Raises HttpError while the first is under way."""
    now, asked = timezone.now(), _digest(request)
    _forget(now - KEPT)
    with transaction.atomic():
        answer, is_new = KeptAnswer.objects.get_or_create(
            user_id=int(request.user.pk or 0), key=key, defaults={"request": asked, "begun_at": now}
        )
    if answer.begun_at < now - KEPT:  # one of more than were forgotten just now
        KeptAnswer.objects.filter(pk=answer.pk).delete()
        return _take(request, key)
    if is_new:
        return answer
    if answer.request != asked:
        why = f"{HEADER}: was used for another request, which differs from this one."
        raise BadValue(why)
    if answer.code is None and not _take_over(answer, now):
        raise HttpError(HTTPStatus.CONFLICT, "The first request with this key is still under way.")
    return answer


def _take_over(answer: KeptAnswer, now: datetime) -> bool:
    """Take up a key whose first request has died. False while it may be at work, or when somebody else was faster."""
    if answer.begun_at > now - UNDER_WAY:
        return False
    dead = KeptAnswer.objects.filter(pk=answer.pk, begun_at=answer.begun_at, code=None)
    return bool(dead.update(begun_at=now))


def _forget(before: datetime) -> None:
    old = KeptAnswer.objects.filter(begun_at__lt=before).values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE]
    if pks := list(old):
        KeptAnswer.objects.filter(pk__in=pks).delete()


def _keep(answer: KeptAnswer, response: HttpResponse | None) -> None:
    row = KeptAnswer.objects.filter(pk=answer.pk, code=None)
    if response is None or not HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        row.delete()
        return
    is_secret = "no-store" in response.get("Cache-Control", "")
    headers = {name: response[name] for name in HEADERS if name in response}
    row.update(code=response.status_code, headers=headers, body=None if is_secret else response.content)


def _again(answer: KeptAnswer) -> HttpResponse:
    if answer.body is None:
        raise HttpError(HTTPStatus.CONFLICT, "This was done already. Its answer held a secret and was not kept.")
    headers = {**answer.headers, REPLAYED: "true"}
    return HttpResponse(bytes(answer.body), status=answer.code, headers=headers)
