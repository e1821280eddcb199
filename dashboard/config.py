"""Where things are and how much is allowed: one typed configuration, read from the environment."""

import contextlib
import hashlib
import ipaddress
import os
import secrets
import socket
import tempfile
from functools import cache
from pathlib import Path

import platformdirs
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

# sun_path holds 108 bytes on Linux and 104 on macOS; the longest socket name is "r<worker>-<incarnation>.sock".
SOCKET_PATH_LIMIT = 100
LONGEST_SOCKET_NAME = 32


class Config(BaseSettings):
    """What a person may set. Unset values have defaults that work on one laptop with nothing but Python."""

    model_config = SettingsConfigDict(env_prefix="SPECYARD_", extra="ignore", populate_by_name=True)

    data_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("specyard")))
    host: str = "127.0.0.1"
    port: int = Field(default=8420, ge=0, le=65535)
    node_name: str = Field(default_factory=socket.gethostname, min_length=1, max_length=100)
    database_url: str = Field(default="", validation_alias="DATABASE_URL")
    redis_url: str = Field(default="", validation_alias="REDIS_URL")
    max_workers: int = Field(default=5, ge=0, le=1000, validation_alias="MAX_WORKERS")
    spare_workspaces: int = Field(default=2, ge=0, le=16)  # made ahead on each node; 0: none
    secret_key: str = ""
    allowed_hosts: str = ""
    debug: bool = False

    @property
    def data(self) -> Path:
        """The data directory as an absolute path."""
        return self.data_dir.expanduser().absolute()

    @property
    def database(self) -> str:
        """The database as a URL: DATABASE_URL, else an SQLite file in the data directory."""
        return self.database_url or f"sqlite:///{self.data / 'specyard.sqlite3'}"

    @property
    def runtime_dir(self) -> Path:
        """The directory of the sockets, short enough for a Unix socket's path."""
        inside = self.data / "run"
        if len(os.fsencode(inside)) + 1 + LONGEST_SOCKET_NAME <= SOCKET_PATH_LIMIT:
            return inside
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"specyard-{os.getuid()}-{name}"

    @property
    def redis(self) -> str:
        """Redis as a URL: REDIS_URL, else the socket of the Valkey that `specyard up` starts."""
        return self.redis_url or f"unix://{self.runtime_dir / 'valkey.sock'}"

    @property
    def launcher_socket(self) -> Path:
        return self.runtime_dir / "launcher.sock"

    @property
    def hosts(self) -> list[str]:
        """The names of this machine's loopback, the address that it is bound to, and SPECYARD_ALLOWED_HOSTS.

        Nothing that stands for every name or address: a page from elsewhere whose name was pointed to this machine
        (DNS rebinding) comes with a Host of its own.
        """
        bound = self.host
        with contextlib.suppress(ValueError):  # a name
            ip = ipaddress.ip_address(self.host)
            bound = "" if ip.is_unspecified else str(ip) if ip.version == 4 else f"[{ip}]"
        named = [host.strip() for host in self.allowed_hosts.split(",")]
        return ["localhost", "127.0.0.1", "[::1]", *filter(None, [bound.strip("*."), *named])]

    def signing_key(self) -> str:
        """SPECYARD_SECRET_KEY, else one that is made once and kept in the data directory (mode 0600).

        It gets its name once, when it is complete: two processes that make one at the same time use the same.
        """
        if self.secret_key:
            return self.secret_key
        path = self.data / "secret.key"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix="secret.key.") as file:  # mode 0600
                file.write(secrets.token_urlsafe(50))
                file.flush()
                with contextlib.suppress(FileExistsError):
                    _name(Path(file.name), path)
        return path.read_text()


def _name(complete: Path, path: Path) -> None:
    """Give a complete file its name too. Raises FileExistsError when somebody was faster."""
    try:
        os.link(complete, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links; here two at once would not notice one another
        with path.open("x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(complete.read_text())


@cache
def load() -> Config:
    """The configuration of this process. Raises pydantic.ValidationError, which names the variable."""
    return Config()
