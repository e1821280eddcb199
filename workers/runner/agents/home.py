"""A data directory of its own for the agents of a worker, with the user's sign-in linked in.

Agents of one kind break one another on a shared data directory, and sessions of a worker must outlive its runner.
"""

import contextlib
import os
from pathlib import Path

from workers.runner import environment
from workers.runner.messages import Profile

# Where these directories are when no variable says so, below the home directory (XDG Base Directory Specification, and
# the documentation of the agents).
DEFAULTS = {
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "XDG_CONFIG_HOME": ".config",
    "CLAUDE_CONFIG_DIR": ".claude",
    "CODEX_HOME": ".codex",
    "GEMINI_CLI_HOME": "",
}
ALWAYS = ("XDG_DATA_HOME", "XDG_STATE_HOME")


def furnish(profile: Profile, data: str, env: dict[str, str]) -> dict[str, str]:
    """Make the directories of this profile below `data` and link its login files.

    A login file is VARIABLE/path; the variable names a directory of the user, of which the agent gets one of its own.
    Returns the variables. Raises OSError.
    """
    found = {}
    for variable in sorted({*ALWAYS, *(entry.partition("/")[0] for entry in profile.login_files)}):
        own = Path(data) / profile.name / variable.lower()
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        found[variable] = str(own)
    for entry in profile.login_files:
        variable, _, path = entry.partition("/")
        source, target = users(variable, env) / path, Path(found[variable]) / path
        if path and source.exists() and not target.exists():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                target.symlink_to(source)
    return found


def users(variable: str, env: dict[str, str]) -> Path:
    """The user's own directory that a variable names."""
    known = {**environment.base(), **env}
    if value := known.get(variable) or os.environ.get(variable):
        return Path(value)
    return Path(known["HOME"]) / DEFAULTS.get(variable, variable.lower())
