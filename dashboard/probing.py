"""Who may know how the yard is: somebody who has signed in, a token of an account, and programs on this machine."""

from http import HTTPStatus

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from dashboard import access, tokens
from dashboard.addresses import is_this_machine
from dashboard.slowing import Slowed

BEARER = "bearer "
NOBODY_KNOWN = "The database does not answer. Until it does, ask on this machine, without a token.\n"
SIGN_IN = "Sign in, send the API token of an account, or ask on this machine.\n"


def may_know(request: HttpRequest) -> bool:
    """Whether the request may. One with a token is the token's alone. Raises InvalidToken, Slowed."""
    given = request.headers.get("Authorization", "")
    if given.lower().startswith(BEARER):
        return access.may_look(tokens.user_of(given[len(BEARER) :].strip(), request))
    return is_this_machine(request) or access.may_look(request.user)


def refuse(request: HttpRequest) -> HttpResponse | None:
    """The refusal of a request that may not know; None for one that may."""
    status, text, headers = HTTPStatus.UNAUTHORIZED, SIGN_IN, {"WWW-Authenticate": 'Bearer realm="specyard"'}
    try:
        if may_know(request):
            return None
    except tokens.InvalidToken as error:
        text, headers["WWW-Authenticate"] = f"{error}\n", 'Bearer realm="specyard", error="invalid_token"'
    except DatabaseError:
        status, text, headers = HTTPStatus.SERVICE_UNAVAILABLE, NOBODY_KNOWN, {}
    except Slowed as slowed:
        status, text, headers = HTTPStatus.TOO_MANY_REQUESTS, f"{slowed}\n", {"Retry-After": str(slowed.seconds)}
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8", headers=headers)
