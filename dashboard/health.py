"""Whether this yard can work: `/healthz` of this process alone, `/readyz` of everything that it needs; `/metrics`.

What is asked may hang: a server that is stopped takes connections and is silent. So each part is asked in a thread of
its own, by one question at a time however many ask, and the answer is there after DEADLINE whatever hangs.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from dashboard import probing, schema
from dashboard.addresses import is_this_machine
from dashboard.slowing import Slowed
from dashboard.tokens import InvalidToken
from workers.models import Node
from workers.models.node import CANARY_TTL, HEARD_OF

DEADLINE = 2.0  # seconds until whoever has not answered does not count
REDIS_SECONDS = 1.0
CONNECT_SECONDS = 2  # the least that libpq takes
STATEMENT_SECONDS = 1.5
DATABASE, MIGRATIONS, NODES, REDIS = "database", "migrations", "nodes", "redis"
NO_STORE = {"Cache-Control": "no-store"}
SILENT = f"No answer within {DEADLINE:g} s."


@dataclass(frozen=True)
class Finding:
    """What became of a check; the detail is a sentence for whoever may know it."""

    ok: bool
    detail: str


Findings = dict[str, Finding]
NOT_KNOWN = Finding(False, "Not known: the database does not answer.")


class Question:
    """One thing that is asked, by one thread at most: who asks while an answer is awaited gets that one."""

    def __init__(self, name: str, ask: Callable[[], Findings]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"ready-{name}")
        self._awaited: Future[Findings] | None = None

    def put(self) -> "Future[Findings]":
        """Ask, unless an answer is awaited already."""
        with self._lock:
            if self._awaited is None or self._awaited.done():
                self._awaited = self._pool.submit(self._ask)
            return self._awaited


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Whether this process answers."""
    return HttpResponse("ok", content_type="text/plain", headers=NO_STORE)


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether everything answers that work needs: 200 or 503, and how each check went."""
    found = look()
    ready = all(finding.ok for finding in found.values())
    in_detail = _may_know(request, found[DATABASE].ok)
    checks = {
        name: {"ok": finding.ok, **({"detail": finding.detail} if in_detail else {})} for name, finding in found.items()
    }
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse({"ready": ready, "checks": checks}, status=status, headers=NO_STORE)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Everything, for Prometheus: for who has signed in, a token, and this machine itself."""
    if (refusal := probing.refuse(request)) is not None:
        return refusal
    from dashboard import scrape  # and with it the library, which nobody needs who is not scraped

    content, media_type = scrape.page(request.headers.get("Accept", ""))
    return HttpResponse(content, content_type=media_type, headers=NO_STORE)


def _may_know(request: HttpRequest, database_answers: bool) -> bool:
    """Without the database nobody is known, and only this machine itself may know more.

    A token that does not work is counted, which a database that somebody else has locked holds up.
    """
    if not database_answers:
        return is_this_machine(request)
    try:
        with _own_connection():
            return probing.may_know(request)
    except (InvalidToken, Slowed, DatabaseError):
        return False


def look() -> Findings:
    """Put all questions and take what is there after DEADLINE."""
    database, bells = of_database.put(), of_redis.put()
    wait((database, bells), timeout=DEADLINE)
    silent = {DATABASE: Finding(False, SILENT), MIGRATIONS: NOT_KNOWN, NODES: NOT_KNOWN}
    found = database.result() if database.done() else silent
    return {**found, **(bells.result() if bells.done() else {REDIS: Finding(False, SILENT)})}


# The questions, each asked in its own thread


def ask_redis() -> Findings:
    """Whether Redis answers."""
    try:
        with redis.Redis.from_url(
            settings.SPECYARD_REDIS, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
        ) as client:
            client.ping()
    except (redis.RedisError, OSError, ValueError) as error:
        return {REDIS: Finding(False, f"Redis does not answer: {error}")}
    return {REDIS: Finding(True, "It answers.")}


def ask_database() -> Findings:
    """Whether the database answers, is up to date, and has heard of each node's Celery."""
    try:
        with _own_connection() as own:
            with own.cursor() as cursor:
                cursor.execute("SELECT 1")
            answers = Finding(True, "It answers.")
            lacking = schema.missing(own)
            if lacking:
                text = f"{len(lacking)} are missing, such as {'.'.join(min(lacking))}."
                return {DATABASE: answers, MIGRATIONS: Finding(False, text), NODES: Finding(False, "Not known yet.")}
            return {DATABASE: answers, MIGRATIONS: Finding(True, "None is missing."), NODES: _nodes()}
    except DatabaseError as error:
        said = Finding(False, f"The database does not answer: {str(error).strip()}")
        return {DATABASE: said, MIGRATIONS: NOT_KNOWN, NODES: NOT_KNOWN}


def _nodes() -> Finding:
    """Every node that is here, drained or not, must have taken a message within CANARY_TTL."""
    here = Node.objects.filter(status__in=HEARD_OF).count()
    if not here:
        return Finding(False, "No node is online.")
    late = list(Node.without_canary().annotate(now=Now()).order_by("name").values_list("name", "canary_at", "now"))
    if late:
        return Finding(False, " ".join(_late(*row) for row in late))
    return Finding(True, f"{here} of {here} take messages.")


def _late(name: str, at: datetime | None, now: datetime) -> str:
    since = f"for {(now - at).total_seconds():.0f} s" if at else "yet"
    return f"The Celery of {name} has taken no message {since}; at most {CANARY_TTL.total_seconds():.0f} s are usual."


@contextmanager
def _own_connection() -> Iterator[Any]:
    """Within: this thread's connection is a new one, with short limits, so that nothing outlives an outage."""
    usual: Any = connections["default"]
    own = usual.copy()
    options = {**own.settings_dict.get("OPTIONS", {})}
    if own.vendor == "postgresql":
        options.pop("pool", None)
        limit = f"-c statement_timeout={int(STATEMENT_SECONDS * 1000)}"
        options["options"] = f"{options.get('options', '')} {limit}".strip()
        options |= {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": CONNECT_SECONDS * 1000}
    else:
        options["timeout"] = STATEMENT_SECONDS
    own.settings_dict["OPTIONS"] = options
    connections["default"] = own
    try:
        yield own
    finally:
        own.close()
        connections["default"] = usual


of_database = Question("database", ask_database)
of_redis = Question("redis", ask_redis)
