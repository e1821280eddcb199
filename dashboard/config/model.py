"""What a person may set. Unset values have defaults that work on one laptop with nothing but Python."""

import contextlib
import hashlib
import ipaddress
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from dashboard.config import encryption, writing
from dashboard.config.encryption import EncryptionKeys
from dashboard.config.sections import At, Execution, Executor
from dashboard.config.types import (
    DatabaseUrl,
    Directories,
    Directory,
    HostNames,
    LogFormat,
    LogLevel,
    RedisUrl,
    WebhookTargets,
    Whole,
)
from specs import executors

# sun_path holds 108 bytes on Linux and 104 on macOS; the longest socket name is "r<worker>-<nonce>-<incarnation>.sock".
SOCKET_PATH_LIMIT = 100
LONGEST_SOCKET_NAME = 32

# Nested values by field name, the strongest layer first; empty: nothing is read, which is what tests want.
LAYERS: ContextVar[tuple[Mapping[str, Any], ...]] = ContextVar("LAYERS", default=())

# What stands above each section of the file whose keys are fields of `Config` itself.
SECTIONS = {
    "server": "Where the pages are, and who may open them.",
    "storage": "Where everything is kept that Specyard writes.",
    "database": "The one truth.",
    "redis": "Messages between processes; it may lose everything at any moment.",
    "queue": "How much runs at once.",
    "node": "This machine.",
    "log": "What the web server and the nodes tell of what they do.",
}


@cache
def executor_names() -> tuple[str, ...]:
    """The executors of this installation."""
    return tuple(sorted({executors.AGENT, *executors.installed()}))


class Config(BaseSettings):
    """Every setting, by short names; the file has them in sections."""

    model_config = SettingsConfigDict(extra="forbid", validate_default=False)

    host: Annotated[str, At("server.host")] = Field(
        default="127.0.0.1", description="The address on which the pages are served. 0.0.0.0 means every one."
    )
    port: Annotated[Whole, At("server.port")] = Field(
        default=8420, ge=0, le=65535, description="The port of the pages; 0 takes any free one."
    )
    allowed_hosts: Annotated[HostNames, At("server.allowed_hosts")] = Field(
        default=[],
        examples=[["yard.example.org"]],
        description="Further host names of the pages, beside this machine's own; in the variable with commas.",
    )
    secret_key: Annotated[SecretStr, At("server.secret_key", default="made once, in the data directory")] = Field(
        default=SecretStr(""),
        examples=["fifty random characters"],
        description="Signs sessions and links. All web servers of a fleet need the same.",
    )
    secrets_key: Annotated[
        EncryptionKeys, At("storage.secrets_key", default="made once, in secrets.key in the data directory")
    ] = Field(
        default=SecretStr(""),
        examples=["print-one-with-specyard-secrets-new-key-now="],
        description="Encrypts the secrets of projects and profiles. All machines of a fleet need the same; several "
        "with commas in between while it is changed, the newest first.",
    )
    secrets_key_file: Annotated[str, At("storage.secrets_key_file", default="secrets.key in the data directory")] = (
        Field(
            default="",
            examples=["/run/secrets/specyard"],
            description="A file with that key, or with several, one a line.",
        )
    )
    https: Annotated[bool, At("server.https")] = Field(
        default=False,
        description="The pages are reached by https only, through a proxy that sets X-Forwarded-Proto itself: cookies "
        "are sent by https alone, http is sent on to https, and browsers are told to remember that.",
    )
    trusted_proxies: Annotated[Whole, At("server.trusted_proxies")] = Field(
        default=0,
        ge=0,
        le=10,
        description="How many proxies stand in front: so many addresses of X-Forwarded-For, from the right, are true.",
    )
    debug: Annotated[bool, At("server.debug")] = Field(
        default=False, description="Show details of errors to everybody. Only for work on Specyard itself."
    )
    api_requests_per_minute: Annotated[Whole, At("server.api_requests_per_minute")] = Field(
        default=6000,
        ge=0,
        description="How many requests an account or a token may send to the API per minute and web process; 0: any.",
    )
    event_streams_per_account: Annotated[Whole, At("server.event_streams_per_account")] = Field(
        default=10,
        ge=0,
        le=1000,
        description="How many event streams of the API an account may have open at once, per web process.",
    )
    allowed_roots: Annotated[Directories, At("server.allowed_roots")] = Field(
        default=[],
        examples=[["/srv/projects"]],
        description="Projects are in these directories or below them; in the variable with commas. Empty: anywhere, "
        "but where the pages are for other machines (host, https) nobody can add a project before this is set.",
    )
    webhook_targets: Annotated[WebhookTargets, At("server.webhook_targets")] = Field(
        default="private",
        description='Where webhooks may be sent: "public" addresses only; "private": also this machine and private '
        'networks; "any": also link-local addresses, where clouds keep the credentials of a machine.',
    )
    data_dir: Annotated[Directory, At("storage.data_dir", default="your user data directory")] = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("specyard")),
        examples=["/srv/specyard"],
        description="Database, logs, workspaces and sockets are in this directory.",
    )
    database_url: Annotated[
        DatabaseUrl, At("database.url", variable="DATABASE_URL", default="SQLite in the data directory")
    ] = Field(
        default="",
        repr=False,
        examples=["postgresql://user:password@host/name"],
        description="A PostgreSQL, which several machines need, or an SQLite file.",
    )
    redis_url: Annotated[
        RedisUrl, At("redis.url", variable="REDIS_URL", default="a Valkey that `specyard up` starts")
    ] = Field(
        default="",
        repr=False,
        examples=["redis://host:6379/0"],
        description="A Redis from version 6.2, which several machines need.",
    )
    max_workers: Annotated[Whole, At("queue.max_workers", variable="MAX_WORKERS")] = Field(
        default=5,
        ge=0,
        le=1000,
        description="How many workers may run at once: the limit at the very first start; afterwards change it on the "
        "page.",
    )
    node_name: Annotated[str, At("node.name", default="the host's name")] = Field(
        default_factory=socket.gethostname,
        min_length=1,
        max_length=100,
        examples=["yard-1"],
        description="What this machine is called; keep it when the host is renamed.",
    )
    spare_workspaces: Annotated[Whole, At("node.spare_workspaces")] = Field(
        default=2, ge=0, le=16, description="Worktrees that this node makes ahead while specs wait; 0 makes none."
    )
    log_format: Annotated[LogFormat, At("log.format")] = Field(
        default="auto",
        description='"console" for people, "json" for programs: one object a line; "auto" is "console" on a terminal '
        'and in a file, "json" where another program reads.',
    )
    log_level: Annotated[LogLevel, At("log.level")] = Field(
        default="info",
        description='The least that is told: "debug", "info", "warning" or "error"; of libraries at least "warning".',
    )
    execution: Execution = Field(default_factory=Execution)
    executors: dict[str, Executor] = Field(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given by name, then each layer."""
        return (init_settings, *(InitSettingsSource(settings_cls, dict(layer)) for layer in LAYERS.get()))

    @model_validator(mode="after")
    def _docker_has_an_image(self) -> "Config":
        for name in executor_names():
            if self.said(name, "mode")[1] == "docker" and self.said(name, "image")[1] is None:
                raise ValueError(
                    f'chunks with the executor "{name}" run in docker, but no image is given. '
                    'For example, in [execution.docker]: image = "python:3.12-slim"'
                )
        return self

    # What holds for an executor

    def said(self, executor: str, field: str) -> tuple[tuple[str, ...], Any]:
        """What holds for an executor, and where that is said: by itself, by its mode, or for all."""
        mode = "" if field == "mode" else self.said(executor, "mode")[1]
        own, of_mode = self.executors.get(executor), getattr(self.execution, mode, None) if mode else None
        places = (
            (("executors", executor, field), getattr(own, field, None)),
            (("execution", mode, field), getattr(of_mode, field, None)),
        )
        everywhere = (("execution", field), getattr(self.execution, field, None))
        return next((place for place in places if place[1] is not None), everywhere)

    def time_limit_of(self, executor: str) -> int:
        """Seconds of wall time for a chunk that gives none itself."""
        return int(self.said(executor, "time_limit")[1])

    def modes(self) -> Iterator[tuple[str, str]]:
        """(dotted key, mode) for every mode that chunks may run in."""
        for name in executor_names():
            place, mode = self.said(name, "mode")
            yield ".".join(place), mode

    # Derived

    @property
    def data(self) -> Path:
        """The data directory as an absolute path."""
        return Path(os.path.expanduser(self.data_dir)).absolute()

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
        """The names of this machine's loopback, the address that it is bound to, and the allowed hosts.

        Nothing that stands for every name or address: a page from elsewhere whose name was pointed to this machine
        (DNS rebinding) comes with a Host of its own.
        """
        bound = self.host
        with contextlib.suppress(ValueError):  # a name
            ip = ipaddress.ip_address(self.host)
            bound = "" if ip.is_unspecified else str(ip) if ip.version == 4 else f"[{ip}]"
        return ["localhost", "127.0.0.1", "[::1]", *filter(None, [bound.strip("*."), *self.allowed_hosts])]

    def secrets_keys(self, *, make: bool = False) -> list[str]:
        """The keys of the secrets, the one that encrypts first. Raises OSError or ValueError: `encryption.read`."""
        return encryption.read(self, make=make)

    def signing_key(self) -> str:
        """The secret key, else one that is made once and kept in the data directory (mode 0600).

        Two processes that make one at the same time use the same.
        """
        if given := self.secret_key.get_secret_value():
            return given
        path = self.data / "secret.key"
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                writing.write(path, secrets.token_urlsafe(50))
        return path.read_text()
