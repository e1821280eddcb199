"""The API in this process, on the local database: no network, and no service has to run."""

import gc
import io
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from dashboard.cli import application, ground
from dashboard.cli.calling import Api, Query
from dashboard.cli.refusal import Refused

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpRequest

    from dashboard.config import Config

logger = logging.getLogger(__name__)
URLS = "dashboard.api.urls"
READING = ("GET", "HEAD")
ABSENT = "There is no database at {path} yet. `specyard up` makes one, and so do `specyard import` and `specyard demo`."


@contextmanager
def reached() -> Iterator[Api]:
    """The API on the local database, whose owner calls it from the command line. It is loaded with the first call."""
    with ExitStack() as stack:
        yield Local(stack)


def _load() -> None:
    """Import the API. Raises Refused."""
    gc.disable()  # what is imported stays: looking through it again and again takes a fifth of the start
    zone = os.environ.get("TZ")
    try:
        check(ground.configuration())
        application.load()
        import dashboard.api.urls  # noqa: F401

        gc.freeze()
    finally:
        gc.enable()
    os.environ.pop("TZ", None)
    os.environ.update({"TZ": zone} if zone is not None else {})
    time.tzset()  # Django has set UTC, and people read the times of their own zone


def check(config: "Config") -> None:
    """Raise Refused where there is no database: an SQLite file would be made by looking for it."""
    file, found = config.database.removeprefix("sqlite:///"), config.database.startswith("sqlite:///")
    if found and not Path(file).exists():
        raise Refused(ABSENT.format(path=file))


class Local(Api):
    """Calls the views of the API, as whoever owns this installation. What it opens is closed with the stack."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack, self._is_loaded = stack, False

    def exchange(self, method: str, path: str, query: Query, body: Any) -> tuple[int, Any]:
        """Call the view. Raises Refused where the database is not as this version needs it."""
        if not self._is_loaded:
            _load()
            self._be_quiet()
            self._stack.enter_context(application.database())
            if lacking := application.lacking():
                raise Refused(lacking)
            self._is_loaded = True
        from django.urls import resolve

        request = self._request(method, path, query, body)
        match = resolve(path, URLS)
        try:
            response = match.func(request, *match.args, **match.kwargs)
        except Exception as error:
            logger.debug("A defect", exc_info=True)
            raise Refused(
                f"A defect in Specyard stopped this: {type(error).__name__}: {error}\n"
                "With SPECYARD_LOG_LEVEL=debug it says where."
            ) from error
        return response.status_code, json.loads(response.content) if response.content else None

    def _be_quiet(self) -> None:
        """What a service notes in passing, such as a database that was busy, is not for a terminal, unless wanted."""
        from dashboard import config

        if config.loaded().source_of("log.level").kind == "default":
            logging.disable(logging.INFO)
            self._stack.callback(logging.disable, logging.NOTSET)

    def _request(self, method: str, path: str, query: Query, body: Any) -> "HttpRequest":
        from django.core.handlers.wsgi import WSGIRequest

        content = b"" if body is None else json.dumps(body).encode()
        request = WSGIRequest(
            {
                "REQUEST_METHOD": method,
                "PATH_INFO": f"/api{path}",
                "QUERY_STRING": urlencode(query, doseq=True, errors="replace"),
                "CONTENT_TYPE": "application/json",
                "CONTENT_LENGTH": str(len(content)),
                "SERVER_NAME": "localhost",
                "SERVER_PORT": "0",
                "wsgi.input": io.BytesIO(content),
                "wsgi.url_scheme": "http",
            }
        )
        request.user = self._reader if method in READING else self._owner
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]  # no browser has sent it
        return request

    @cached_property
    def _reader(self) -> "User":
        """Whoever may read the database may see all of it: for that no account has to be there."""
        from django.contrib.auth.models import User

        return User(username="", is_superuser=True)

    @cached_property
    def _owner(self) -> "User":
        from dashboard import signin

        return signin.owner()
