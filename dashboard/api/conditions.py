"""ETags of single objects: a program asks whether one has changed, and changes only what it has seen.

https://www.rfc-editor.org/rfc/rfc9110#section-13
"""

import hashlib
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from ninja import Schema
from ninja.errors import HttpError

# What changes by itself, with the time or with the others: no reason to fetch an object again, or not to change it.
VOLATILE = {"duration", "place", "waits", "starts_at", "load", "memory", "last_seen_at", "active", "waiting"}
READING = ("GET", "HEAD")
TAGGED = (*READING, "PUT", "PATCH")


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
    if request.method not in READING:
        return response
    answer = get_conditional_response(request, response["ETag"], None, response)
    return answer if isinstance(answer, HttpResponse) else response


def check(request: HttpRequest, shown: Callable[[], Schema]) -> None:
    """Raises HttpError (412) when the request is only for an object as it no longer is (If-Match).

    `shown` gives the object as the API shows it now; whoever wants no change between this and its own locks it first.
    """
    wanted = parse_etags(request.headers.get("If-Match", "*"))
    if wanted != ["*"] and tag_of(shown().model_dump()) not in wanted:
        raise HttpError(HTTPStatus.PRECONDITION_FAILED, "It has changed since you read it. Read it again.")
