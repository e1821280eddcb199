"""The real opencode, installed by `make agents`, with a model of `openai_server` behind it and no other network."""

import json
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.openai_server import Model

INSTALLED = Path(__file__).parents[1] / "agents" / "node_modules"
# It installs a package of its own for plugins from the registry of npm, and can do without.
NO_REGISTRY = "http://127.0.0.1:9/"


def executable() -> str:
    """The program: SPECYARD_OPENCODE, or what `make agents` has installed.

    Without one the test that asks is skipped; on CI that is a failure.
    """
    named = os.environ.get("SPECYARD_OPENCODE", "")
    if named and Path(named).exists():
        return named
    found = next(filter(Path.exists, candidates()), None)
    if found is None:
        wanted = "run `make agents`" if shutil.which("npm") else "install npm, then run `make agents`"
        told = f"no opencode for the tests on this machine: {wanted}, or name one in SPECYARD_OPENCODE"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(told)
    return str(found)


def candidates() -> list[Path]:
    """Where it may be, the build for this processor first."""
    system = platform.system().lower()
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine())
    variants = ["", "-baseline"] if has_avx2() else ["-baseline", ""]
    return [INSTALLED / f"opencode-{system}-{machine}{variant}" / "bin" / "opencode" for variant in variants]


def has_avx2() -> bool:
    """Whether the plain build runs here; unknown is taken for yes."""
    cpus = Path("/proc/cpuinfo")
    return not cpus.exists() or " avx2" in cpus.read_text()


@dataclass(frozen=True)
class Opencode:
    """An opencode whose provider is a scripted model, with directories of its own."""

    directory: Path
    binary: str

    @property
    def argv(self) -> list[str]:
        return [self.binary, "acp"]

    def configuration(self, model: Model, **fields: Any) -> dict[str, Any]:
        """What opencode reads: models scripted/one, with prices, and scripted/two; further fields of its own."""
        prices = {"input": 1.0, "output": 2.0, "cache_read": 0.1}
        one = {"name": "One", "limit": {"context": 100_000, "output": 10_000}, "cost": prices}
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "name": "Scripted",
            "options": {"baseURL": model.url, "apiKey": "not-a-real-key"},
            "models": {"one": one, "two": {"name": "Two"}},
        }
        common = {"model": "scripted/one", "small_model": "scripted/one", "provider": {"scripted": provider}}
        return {**common, "autoupdate": False, "share": "disabled", **fields}

    def settings(self, model: Model, **fields: Any) -> dict[str, str]:
        """The variables that a profile needs for it, so that it finds nothing of whoever runs the tests."""
        (self.directory / "home").mkdir(exist_ok=True)
        homes = {"HOME": "home", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache"}
        return {
            **{name: str(self.directory / below) for name, below in homes.items()},
            "OPENCODE_CONFIG_CONTENT": json.dumps(self.configuration(model, **fields)),
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "npm_config_registry": NO_REGISTRY,
        }

    def environment(self, model: Model, **fields: Any) -> dict[str, str]:
        """A whole environment, with directories for what it stores."""
        stores = {"XDG_DATA_HOME": str(self.directory / "data"), "XDG_STATE_HOME": str(self.directory / "state")}
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **stores, **self.settings(model, **fields)}

    def profile(self, model: Model, config: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """A profile as the runner gets it."""
        defaults = {
            "name": "opencode",
            "command": self.binary,
            "arguments": ["acp"],
            "environment": self.settings(model, **(config or {})),
            "secrets": {},
            "model": "",
            "mode": "",
            "permission": "ask",
            "allowed": [],
            "handshake": 60.0,
            "silence": 60.0,
            "login_files": [],
        }
        return {**defaults, **fields}


@pytest.fixture
def opencode(tmp_path: Path) -> Opencode:
    """An opencode for this test."""
    binary = executable()
    directory = tmp_path / "opencode"
    directory.mkdir()
    return Opencode(directory, binary)
