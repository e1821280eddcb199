"""Whether a service answers, asked as its clients will ask."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

from dashboard.cli import launcher

LONGEST_STATUS = 200  # bytes


def accepts(path: Path) -> bool:
    """Whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True


def pings(path: Path) -> bool:
    """Whether a launcher answers there."""
    try:
        return bool(launcher.ping(path)["ok"])
    except launcher.NoLauncher:
        return False


def fault_of_web(address: str, seconds: float) -> str:
    """What is wrong with the web server; empty when it answers.

    Without http.client: `up` would keep half a megabyte of it for good.
    """
    place = urlsplit(address)
    try:
        with socket.create_connection((place.hostname, place.port), seconds) as connection:
            connection.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            status = connection.makefile("rb").readline(LONGEST_STATUS).decode(errors="replace").strip()
    except OSError as error:
        return f"The web server does not answer at {address}: {error}"
    return "" if " 200 " in status else f"The web server answers at {address} with {status or 'nothing'}."


def fault_of_launcher(path: Path, seconds: float = launcher.ANSWER_SECONDS) -> str:
    """What is wrong with the launcher; empty when it answers."""
    try:
        launcher.ping(path, seconds)
    except launcher.NoLauncher as error:
        return f"The launcher does not answer: {error}"
    return ""
