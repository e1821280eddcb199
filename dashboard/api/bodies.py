"""What is sent to the API: JSON, and none of what only some readers of JSON understand.

Numbers that are none (NaN, 1e999), a key that stands twice, and text that no database holds (NUL, half of a surrogate
pair) are refused, never mended: a program that sends them has made a mistake of which it should hear.
"""

import json
import math
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja.parser import Parser

from specs.text import is_storable

MEDIA_TYPE = "application/json"
DEEPEST = 50  # lists and objects inside one another
UNSTORABLE = "holds a NUL character or half of a surrogate pair"


class BodyRefused(Exception):
    """The body of a request is not what the API reads. `errors` names the fields, where some are to blame."""

    def __init__(self, code: HTTPStatus, detail: str, errors: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail)
        self.code, self.detail, self.errors = code, detail, errors


class StrictParser(Parser):
    """Reads bodies. Raises BodyRefused."""

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type != MEDIA_TYPE:
            raise BodyRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send the body as {MEDIA_TYPE}.")
        if len(request.body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:  # sent without saying how long it is
            raise BodyRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large.")
        return parsed(request.body)


def parsed(body: bytes) -> Any:
    """The value that the bytes hold. Raises BodyRefused."""
    try:
        value = json.loads(body.decode(), parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_once)
    except RecursionError:
        raise _not_json(f"is nested deeper than {DEEPEST} levels") from None
    except ValueError as error:  # of JSON, of UTF-8, and of integers with thousands of digits
        raise _not_json(str(error)) from error
    if errors := tuple(_unstorable(value)):
        raise BodyRefused(HTTPStatus.UNPROCESSABLE_ENTITY, errors[0][1], errors[:50])
    return value


def _not_json(why: str) -> BodyRefused:
    return BodyRefused(HTTPStatus.BAD_REQUEST, f"The body is not JSON that can be read: {why[:200]}.")


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for at, (key, _) in enumerate(pairs) if key in dict(pairs[:at]))
        raise ValueError(f"the key {twice[:60]!r} stands twice")
    return found


def _unstorable(value: Any) -> list[tuple[str, str]]:
    """(place, why) of every text that cannot be stored. Raises BodyRefused where it is too deep."""
    found: list[tuple[str, str]] = []
    todo: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while todo:
        place, item = todo.pop()
        if len(place) > DEEPEST:
            raise _not_json(f"is nested deeper than {DEEPEST} levels")
        if isinstance(item, str) and not is_storable(item):
            found.append((".".join(place), UNSTORABLE))
        elif isinstance(item, list):
            todo += [((*place, str(at)), one) for at, one in enumerate(item)]
        elif isinstance(item, dict):
            found += [(".".join(place), f"has a key that {UNSTORABLE}") for key in item if not is_storable(key)]
            todo += [((*place, key), one) for key, one in item.items() if is_storable(key)]
    return found
