"""Each request has an id, is told in one line when it is answered, and is timed."""

import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from dashboard import metrics
from dashboard.addresses import address_of
from dashboard.loglines import Asked, asked

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/=-]{0,127}", re.ASCII)
STATIC, UNKNOWN = "static", "unknown"  # in place of the name of a route
QUIET = {"healthz", "readyz", "metrics", "live-poll", STATIC}  # asked all the time: told as debug while they succeed
CONNECTIONS = {"connected": logging.INFO, "disconnected": logging.INFO, "rejected": logging.WARNING}


class Requests:
    """Middleware, the first of all: whatever the others log or refuse carries the id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        now = Asked(id_for(request), request)
        token = asked.set(now)
        began = time.perf_counter()
        try:
            response = self.get_response(request)
            tell(request, response, time.perf_counter() - began)
        finally:
            asked.reset(token)
        response[HEADER] = now.id
        return response


def id_for(request: HttpRequest) -> str:
    """What the request is called: as a proxy says, if that is sane, else a new name."""
    given = request.headers.get(HEADER, "")
    return given if SANE.fullmatch(given) else uuid.uuid4().hex


def route_of(request: HttpRequest) -> str:
    """The name of the address, of which there are few; never the address itself. In the API that of the operation."""
    if operation := getattr(request, "operation", ""):
        return str(operation)
    if request.resolver_match is not None:
        return request.resolver_match.view_name or UNKNOWN
    return STATIC if request.path.startswith(f"/{settings.STATIC_URL.strip('/')}/") else UNKNOWN


def tell(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """Log and time a request whose answer is ready; a stream only begins then."""
    route, status = route_of(request), int(response.status_code)
    metrics.durations.observe(route, request.method, status, seconds)
    level = logging.DEBUG if route in QUIET and status < 400 else logging.INFO
    if logger.isEnabledFor(level):
        facts = {"status": status, "route": route, "duration_ms": round(seconds * 1000, 1)}
        logger.log(level, "%s %s", request.method, request.path, extra={**facts, "address": address_of(request)})


def tell_connection(protocol: str, action: str, details: Mapping[str, Any]) -> None:
    """What Daphne says of its connections (its `action_logger`): sockets are told here, requests by the middleware.

    Of a request Daphne knows when its last byte was sent, and those that it refuses itself: told as debug.
    """
    path = str(details.get("path", "")).partition("?")[0]
    address = str(details.get("client") or "").rpartition(":")[0]
    if protocol == "websocket":
        logger.log(CONNECTIONS.get(action, logging.DEBUG), "Socket %s %s", action, path, extra={"address": address})
        return
    facts = {"status": details.get("status"), "bytes": details.get("size"), "address": address}
    facts["duration_ms"] = round(float(details.get("time_taken") or 0) * 1000, 1)
    logger.debug("Sent %s %s", details.get("method"), path, extra=facts)
