"""The API of a server, over HTTP with a token."""

import json
import os
import ssl
import stat
import time
import urllib.error
import urllib.request
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

import click

from dashboard.cli.calling import Api, Query
from dashboard.cli.refusal import BadInput, Refused, Unreachable

SECONDS = 30.0  # for an answer, and for each of its parts
MOST_SECONDS = 120.0  # for all of it
MOST_BYTES = 64 * 2**20
BLOCK = 2**16
LONGEST_TOKEN = 1000
TOKEN_VARIABLE = "SPECYARD_TOKEN"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
NO_TOKEN = f"--server: a token is needed. Set {TOKEN_VARIABLE}, or give a file that only you may read: --token-file"


class _Stay(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: the token is for one server."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """No further request; then the redirection counts as an error."""


class Remote(Api):
    """Calls the API of one server."""

    def __init__(self, server: str, token: str) -> None:
        """Raises BadInput for what is no address."""
        self.where = _checked(server)
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": "specyard",
        }
        handlers: list[urllib.request.BaseHandler] = [_Stay()]
        if self.where.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
        else:
            handlers.append(urllib.request.ProxyHandler({}))  # it could read the token
        self._opener = urllib.request.build_opener(*handlers)

    def exchange(self, method: str, path: str, query: Query, body: Any) -> tuple[int, Any]:
        """Send a request and read the answer. Raises Unreachable, or Refused for what is no Specyard."""
        asked = f"?{urlencode(query, doseq=True, errors='replace')}" if query else ""
        address = f"{self.where}/api{path}{asked}"
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, content, self._headers, method=method)
        try:
            with self._opener.open(request, timeout=SECONDS) as response:
                return self._read(response)
        except urllib.error.HTTPError as error:
            with error:
                return self._read(error)
        except urllib.error.URLError as error:
            raise Unreachable(f"{self.where} cannot be reached: {_reason(error.reason)}") from error
        except TimeoutError as error:
            raise Unreachable(f"{self.where} has not answered within {SECONDS:.0f} s.") from error
        except (OSError, HTTPException) as error:
            raise Unreachable(f"{self.where} broke off: {str(error) or type(error).__name__}") from error

    def _read(self, response: Any) -> tuple[int, Any]:
        status = int(response.status)
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            target = urlsplit(response.headers.get("Location", ""))
            shown = f"{target.scheme}://{target.netloc}" if target.netloc else "elsewhere"
            raise BadInput(f"--server: {self.where} sends on to {shown}, and the token goes to nobody else.")
        content = self._content(response)
        if not content:
            return status, None
        try:
            return status, json.loads(content)
        except (ValueError, RecursionError):
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return status, {"detail": f"{self.where} answered {status} {response.reason}."}
            raise Refused(f"What answers at {self.where} is no Specyard, or another version.") from None

    def _content(self, response: Any) -> bytes:
        deadline, content = time.monotonic() + MOST_SECONDS, bytearray()
        while block := response.read(BLOCK):
            content += block
            if len(content) > MOST_BYTES or time.monotonic() > deadline:
                raise Unreachable(f"{self.where} answers without an end.")
        return bytes(content)


def _checked(server: str) -> str:
    try:
        parts = urlsplit(server)
        is_right = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        is_right = False
    if not is_right or parts.username is not None or parts.query or parts.fragment or not server.isprintable():
        raise BadInput("--server: must be an address such as https://yard.example.org, with nothing behind its path.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        click.echo("  ! --server: over http, everybody on the way can read the token.", err=True)
    return server.rstrip("/").removesuffix("/api")


def _reason(reason: Any) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate cannot be trusted ({reason.verify_message})."
    if isinstance(reason, TimeoutError):
        return f"no answer within {SECONDS:.0f} s."
    if isinstance(reason, OSError) and reason.strerror:
        return f"{reason.strerror}."
    return str(reason)


def token(file: Path | None) -> str:
    """The token of the file, else of the variable. Raises BadInput."""
    found = os.environ.get(TOKEN_VARIABLE, "") if file is None else _read_private(file)
    found = found.strip()
    if not found:
        raise BadInput(NO_TOKEN if file is None else f"--token-file: {file} is empty.")
    if not (found.isascii() and found.isprintable()) or " " in found or len(found) > LONGEST_TOKEN:
        place = TOKEN_VARIABLE if file is None else f"--token-file: {file}"
        raise BadInput(f"{place} holds no token; one looks like specyard_x7Kq….")
    return found


def _read_private(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise BadInput(f"--token-file: others may read {path}. Keep it to yourself: chmod 600 {path}")
            return file.read(LONGEST_TOKEN + 2).decode("ascii", "replace")
    except OSError as error:
        raise BadInput(f"--token-file: {path} cannot be read: {error.strerror}.") from error
