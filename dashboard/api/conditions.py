"""ETags of single objects: a program asks whether one has changed, and changes only what it has seen.

https://www.rfc-editor.org/rfc/rfc9110#section-13
"""

import hashlib
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from ninja import Schema
from ninja.errors import HttpError

from workers.models import unit_of_work

M = TypeVar("M", bound=Model)
R = TypeVar("R")
# What changes by itself, with the time or with the others: no reason to fetch an object again, or not to change it.
VOLATILE = {"duration", "place", "waits", "starts_at", "load", "memory", "last_seen_at", "active", "waiting"}
VOLATILE |= {"cursor", "failures", "next_at"}  # of a webhook, with every event
VOLATILE |= {"last_sign_in_at"}
TAGGED = ("GET", "PUT", "PATCH")


def tag_of(shown: dict[str, Any]) -> str:
    """The strong ETag of an object as the API shows it."""
    lasting = {name: value for name, value in shown.items() if name not in VOLATILE}
    text = json.dumps(lasting, sort_keys=True, cls=DjangoJSONEncoder)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def tagged(request: HttpRequest, shown: Any, response: HttpResponse) -> HttpResponse:
    """The response with the ETag of its object, or 304 where the program has that already; lists have none."""
    is_object = isinstance(shown, dict) and "items" not in shown
    if request.method not in TAGGED or response.status_code != HTTPStatus.OK or not is_object:
        return response
    response["ETag"] = tag_of(shown)
    if request.method != "GET":
        return response
    answer = get_conditional_response(request, response["ETag"], None, response)
    return answer if isinstance(answer, HttpResponse) else response


def row_lock(row: Model) -> None:
    """Lets nobody else change the row until the transaction ends."""
    type(row)._default_manager.select_for_update(of=("self",)).filter(pk=row.pk).first()


@unit_of_work
def change(
    request: HttpRequest,
    get: Callable[[], M],
    shown: Callable[[M], Schema],
    verb: Callable[[M], R],
    *,
    lock: Callable[[M], object] = row_lock,
) -> R:
    """Do the verb to an object in one transaction, under its lock, unless it is not as the request knows it (If-Match).

    `get` finds the object and `shown` gives it as the API shows it; `lock` is what everybody takes first who changes
    one. Raises HttpError (412), and whatever `get` and `verb` raise.
    """
    lock(get())
    row = get()
    wanted = parse_etags(request.headers.get("If-Match", "*"))
    if wanted != ["*"] and tag_of(shown(row).model_dump()) not in wanted:
        raise HttpError(HTTPStatus.PRECONDITION_FAILED, "It has changed since you read it. Read it again.")
    return verb(row)
