"""What the API answers when something does not work: one shape for every error, after RFC 9457 (problem details).

https://www.rfc-editor.org/rfc/rfc9457
"""

import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import Schema
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError
from pydantic import Field

from dashboard import access, slowing, tokens
from dashboard.accounts import AccountError
from dashboard.api.bodies import BodyRefused
from queue_app.errors import BadValue
from specs.errors import ProfileInUse, ProjectInUse, SpecInUse, SpecInvalid, SpecsError
from workers.errors import InvalidWords, WorkerError
from workers.git import GitFailed

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:specyard:problem:"
RETRY_SECONDS = 1  # after which what was unavailable may be there again
SOURCES = {
    "path",
    "query",
    "body",
    "header",
    "cookie",
    "form",
    "file",
}  # where ninja found a field, the first of its place
NAMED = re.compile(r"([\w-]+): (.+)", re.DOTALL)
INDEX = re.compile(r"\[(\d+)\]")  # as our own verbs write it


class FieldError(Schema):
    """One field that was refused."""

    field: str = Field(description="Its place, for example `chunks.2.executor`; empty when it is the whole body.")
    detail: str = Field(description="Why, as a sentence.")


class Problem(Schema):
    """Why a request was refused; nothing has changed."""

    type: str = Field(
        description="A name for this kind of problem that does not change.", examples=[TYPE + "not-found"]
    )
    title: str = Field(description="What the status means.", examples=["Not Found"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(description="What happened, for people.", examples=["There is no worker 4711."])
    errors: list[FieldError] = Field([], description="The fields that were refused, where some were.")
    current: str = Field("", description="The state that does not allow it, for example a worker's status.")


def problem(
    status: int,
    detail: str,
    *,
    kind: str = "",
    errors: Iterable[tuple[str, str]] = (),
    current: str = "",
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The response that says so. `kind` is the last part of its type; the status' own name unless given."""
    title = HTTPStatus(status).phrase
    content: dict[str, Any] = {
        "type": TYPE + (kind or title.lower().replace(" ", "-")),
        "title": title,
        "status": int(status),
        "detail": detail,
    }
    if found := [{"field": field, "detail": why} for field, why in errors]:
        content["errors"] = found
    if current:
        content["current"] = current
    return JsonResponse(content, status=status, content_type=MEDIA_TYPE, headers=dict(headers or {}))


def _kind(error: Exception) -> str:
    """`already-waiting` for AlreadyWaiting."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()


def _invalid(errors: Iterable[tuple[str, str]]) -> HttpResponse:
    errors = [(INDEX.sub(r".\1", field), why) for field, why in errors]
    detail = "; ".join(f"{field}: {why}" if field else why for field, why in errors)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind="invalid", errors=errors)


def _of_validation(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return _invalid((_place(found["loc"]), found["msg"].removeprefix("Value error, ")) for found in error.errors)


def _place(location: Iterable[Any]) -> str:
    """Where a field stands in what was sent: without the source, and without ninja's name for the body as a whole."""
    parts = list(location)
    if parts and parts[0] == "body":
        parts = parts[2:]
    elif parts and parts[0] in SOURCES:  # flat: what stands before the last name is ours
        names = [at for at, part in enumerate(parts) if isinstance(part, str)]
        parts = parts[max(names[-1], 1) :]
    return ".".join(map(str, parts))


def _of_bad_value(request: HttpRequest, error: BadValue) -> HttpResponse:
    named = NAMED.fullmatch(str(error))
    return _invalid([(named[1], named[2])] if named else [("", str(error))])


def _of_worker(request: HttpRequest, error: WorkerError) -> HttpResponse:
    if error.retryable:
        return _unavailable(str(error), _kind(error))
    return problem(HTTPStatus.CONFLICT, str(error), kind=_kind(error), current=getattr(error, "current", ""))


def _of_use(request: HttpRequest, error: SpecsError) -> HttpResponse:
    return problem(HTTPStatus.CONFLICT, str(error), kind=_kind(error), current="in_use")


def _of_database(request: HttpRequest, error: Exception) -> HttpResponse:
    return _unavailable("The database does not answer now. Try again.", "database-unavailable")


def _unavailable(detail: str, kind: str) -> HttpResponse:
    wait = {"Retry-After": str(RETRY_SECONDS)}
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, kind=kind, headers=wait)


def _of_body(request: HttpRequest, error: BodyRefused) -> HttpResponse:
    if error.errors:
        return _invalid(error.errors)
    return problem(error.code, error.detail)


def _of_http(request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error.__cause__, BodyRefused):  # which ninja has made a 400 of
        return _of_body(request, error.__cause__)
    headers = {}
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="specyard"'
    if isinstance(error, Throttled) and error.wait:
        headers["Retry-After"] = str(error.wait)
    return problem(error.status_code, str(error), headers=headers)


def _of_bad_token(request: HttpRequest, error: tokens.InvalidToken) -> HttpResponse:
    """https://www.rfc-editor.org/rfc/rfc6750#section-3.1"""
    headers = {"WWW-Authenticate": 'Bearer realm="specyard", error="invalid_token"'}
    return problem(HTTPStatus.UNAUTHORIZED, str(error), kind="invalid-token", headers=headers)


def _of_slowed(request: HttpRequest, error: slowing.Slowed) -> HttpResponse:
    return problem(HTTPStatus.TOO_MANY_REQUESTS, str(error), headers={"Retry-After": str(error.seconds)})


def _of_forbidden(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    by_token = getattr(request.user, "token", None) is not None
    headers = {"WWW-Authenticate": 'Bearer realm="specyard", error="insufficient_scope"'} if by_token else {}
    return problem(HTTPStatus.FORBIDDEN, str(error) or access.ONLY_OPERATORS, headers=headers)


Handler = Callable[[HttpRequest, Any], HttpResponse]
HANDLERS: dict[type[Exception], Handler] = {
    ValidationError: _of_validation,
    BadValue: _of_bad_value,
    SpecInvalid: lambda request, error: _invalid(error.errors),
    **dict.fromkeys((SpecInUse, ProjectInUse, ProfileInUse), _of_use),
    SpecsError: lambda request, error: problem(HTTPStatus.CONFLICT, str(error), kind=_kind(error)),
    InvalidWords: lambda request, error: _invalid([(error.field, str(error))]),
    WorkerError: _of_worker,
    AccountError: lambda request, error: problem(
        HTTPStatus.CONFLICT, str(error), kind=_kind(error), current=error.current
    ),
    GitFailed: lambda request, error: problem(HTTPStatus.CONFLICT, str(error), kind="git-failed"),
    ObjectDoesNotExist: lambda request, error: problem(HTTPStatus.NOT_FOUND, GONE),
    RequestDataTooBig: lambda request, error: problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE),
    BodyRefused: _of_body,
    Http404: lambda request, error: problem(HTTPStatus.NOT_FOUND, _of_missing(error)),
    PermissionDenied: _of_forbidden,
    tokens.InvalidToken: _of_bad_token,
    slowing.Slowed: _of_slowed,
    AuthenticationError: lambda request, error: _of_http(request, AuthenticationError(message=SIGN_IN)),
    HttpError: _of_http,
    OperationalError: _of_database,
    InterfaceError: _of_database,
}
GONE = "It does not exist any more."
TOO_LARGE = "The request is too large."
SIGN_IN = "Sign in, or send the API token of an account."


def _of_missing(error: Http404) -> str:
    return str(error) or "There is nothing here."


WORDS = {
    HTTPStatus.BAD_REQUEST: "The request cannot be understood.",
    HTTPStatus.NOT_FOUND: "There is nothing here.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not know that method.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TOO_LARGE,
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something broke on our side; the server's log says what.",
}


def in_shape(response: HttpResponse) -> HttpResponse:
    """A refusal of whoever it may be, as a problem."""
    if response.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
        return response
    words = WORDS.get(HTTPStatus(response.status_code), response.reason_phrase)
    kept = {name: value for name, value in response.headers.items() if not name.lower().startswith("content-")}
    return problem(response.status_code, words, headers=kept)
