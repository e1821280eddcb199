"""Which agents there are, which of them this machine has, and what a runner is told about one.

The shipped profiles are a beginning: people change them, and nothing here ever overwrites what they wrote.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from specs import secrets
from specs.agents import AgentProfile
from specs.errors import ProfileMissing
from specs.executors import AGENT
from specs.models import Project

DEFAULT = "opencode"

# Commands and packages: npm `opencode-ai`, `@agentclientprotocol/claude-agent-acp`, `@agentclientprotocol/codex-acp`,
# `@google/gemini-cli`. Models of opencode are PROVIDER/MODEL of https://models.dev. Modes and models are what each
# agent offered to a new session: opencode 1.18.33, claude-agent-acp 0.49.0, codex-acp 2.6.0, gemini-cli 0.61.0.
SHIPPED: tuple[Mapping[str, Any], ...] = (
    {
        "name": "opencode",
        "title": "opencode",
        "command": "opencode",
        "arguments": ["acp"],
        "environment": {"OPENCODE_DISABLE_AUTOUPDATE": "1"},
        "model": "zai/glm-4.7",
        "mode": "build",
        "login_files": ["XDG_DATA_HOME/opencode/auth.json", "XDG_DATA_HOME/opencode/mcp-auth.json"],
        "install_hint": "npm install -g opencode-ai",
        "notes": "Sign in once with `opencode auth login`, or set the secret ZHIPU_API_KEY for the GLM models of Z.AI. "
        "`opencode models` lists the models; with a GLM coding plan the model is zai-coding-plan/glm-4.7. "
        "Modes: build, plan.",
    },
    {
        "name": "claude",
        "title": "Claude Code",
        "command": "claude-agent-acp",
        "environment": {"DISABLE_AUTOUPDATER": "1"},
        "mode": "acceptEdits",
        "login_files": ["CLAUDE_CONFIG_DIR/.credentials.json", "CLAUDE_CONFIG_DIR/settings.json"],
        "install_hint": "npm install -g @agentclientprotocol/claude-agent-acp",
        "notes": "Sign in once with `claude`, or set the secret ANTHROPIC_API_KEY; on macOS, where the login "
        "of `claude` is in the keychain, the secret CLAUDE_CODE_OAUTH_TOKEN that `claude setup-token` gives. "
        "Models such as default, sonnet, haiku. Modes: default, acceptEdits, plan, dontAsk.",
    },
    {
        "name": "codex",
        "title": "Codex",
        "command": "codex-acp",
        "environment": {"NO_BROWSER": "1"},
        "mode": "agent",
        "login_files": ["CODEX_HOME/auth.json", "CODEX_HOME/config.toml"],
        "install_hint": "npm install -g @agentclientprotocol/codex-acp",
        "notes": "Sign in once with `codex login`, or set the secret CODEX_API_KEY and the variable "
        'DEFAULT_AUTH_REQUEST={"methodId":"api-key"}. Modes: read-only, workspace-write, agent, agent-full-access.',
    },
    {
        "name": "gemini",
        "title": "Gemini CLI",
        "command": "gemini",
        "arguments": ["--acp"],
        "environment": {"GEMINI_CLI_TRUST_WORKSPACE": "true"},
        "mode": "autoEdit",
        "login_files": [
            "GEMINI_CLI_HOME/.gemini/oauth_creds.json",
            "GEMINI_CLI_HOME/.gemini/google_accounts.json",
            "GEMINI_CLI_HOME/.gemini/settings.json",
        ],
        "install_hint": "npm install -g @google/gemini-cli",
        "notes": "Sign in once with `gemini`, or set the secret GEMINI_API_KEY. Modes: default, autoEdit, yolo, plan.",
    },
    {
        "name": "custom",
        "title": "Custom agent",
        "notes": "Any agent that speaks the Agent Client Protocol over its standard input and output.",
    },
)


@dataclass(frozen=True)
class Detected:
    """Whether a profile's program is on this machine: where, or what helps."""

    found: bool
    path: str = ""
    hint: str = ""


def _path_of_this_process() -> str:
    return os.environ.get("PATH", os.defpath)


_path: Callable[[], str] = _path_of_this_process


def set_path(source: Callable[[], str]) -> None:
    """Called by the layer that starts chunks when the application starts: the PATH that they get."""
    global _path
    _path = source


def ensure_shipped(model: Any = AgentProfile, using: str = "default") -> int:
    """Stores the shipped profiles where there is no profile at all; gives how many.

    So one that was deleted stays deleted, and one that was changed stays as it is.
    """
    rows = model.objects.using(using)
    if rows.exists():
        return 0
    return len(rows.bulk_create([model(is_shipped=True, **shipped) for shipped in SHIPPED], ignore_conflicts=True))


def detect(profile: AgentProfile, path: str | None = None) -> Detected:
    """Looks for the profile's program, without starting it, on its own PATH or the one that chunks get."""
    if not profile.command:
        return Detected(False, hint="Give it a command first.")
    where = profile.environment.get("PATH") or (_path() if path is None else path)
    if found := shutil.which(profile.command, path=where):
        return Detected(True, found)
    return Detected(False, hint=profile.install_hint or f"Install {profile.command}, so that it is found on PATH.")


def resolve(name: str, project: Project) -> AgentProfile:
    """The profile `name`; with no name the project's own, else opencode.

    Raises ProfileMissing with a sentence when there is none, or when it has no command.
    """
    wanted = name or project.default_profile or DEFAULT
    profile = AgentProfile.objects.filter(name=wanted).first()
    if profile is None:
        raise ProfileMissing(f'There is no agent profile "{wanted}"; known: {", ".join(known()) or "none"}.')
    if not profile.command:
        raise ProfileMissing(f'The agent profile "{wanted}" has no command; give it one on the page of the profiles.')
    return profile


def named(executor: str, profile: Any, reviewer: Any) -> frozenset[str]:
    """The profiles that a chunk names, "" standing for the default one of its project.

    `profile` is its parameter of that name, `reviewer` that of its reviewing agent, None where there is none.
    """
    found = [profile or ""] if executor == AGENT else []
    return frozenset(name for name in (*found, reviewer) if isinstance(name, str))


def known() -> list[str]:
    """The names of all profiles."""
    return list(AgentProfile.objects.order_by("name").values_list("name", flat=True))


def wire(profile: AgentProfile, params: Mapping[str, Any]) -> dict[str, Any]:
    """What a runner is told: how to start the agent, with the chunk's own model and mode where it names them.

    Holds the secrets: it goes to the runner and nowhere else. `wall` is the most seconds that an attempt may take.
    Raises SecretUnreadable.
    """
    return {
        "name": profile.name,
        "command": profile.command,
        "arguments": profile.arguments,
        "environment": profile.environment,
        "secrets": secrets.values_of(profile),
        "model": params.get("model") or profile.model,
        "mode": params.get("mode") or profile.mode,
        "permission": profile.permission,
        "allowed": profile.allowed_tools,
        "handshake": float(profile.handshake_seconds),
        "silence": float(profile.silence_seconds),
        "wall": float(profile.wall_seconds),
        "login_files": profile.login_files,
    }
