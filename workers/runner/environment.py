"""The environment of what a run starts: built from nothing, so that ours does not leak into other people's tests."""

import os
import pwd
import sys
from collections.abc import Mapping
from functools import cache

KEPT = ("HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@cache
def base() -> dict[str, str]:
    """What every command gets: who and where the user is, the locale, and the user's PATH without our own."""
    user = _passwd()
    defaults = {"HOME": user[1], "USER": user[0], "LOGNAME": user[0], "SHELL": user[2]}
    kept = {name: os.environ[name] for name in KEPT if os.environ.get(name)}
    locale = {name: value for name, value in os.environ.items() if name.startswith("LC_")}
    return {**defaults, **kept, **locale, "PATH": user_path(os.environ.get("PATH", DEFAULT_PATH))}


def user_path(path: str) -> str:
    """PATH without the directory of our virtual environment; a system's own interpreter hides nothing."""
    if sys.prefix == sys.base_prefix:
        return path
    ours = os.path.realpath(os.path.join(sys.prefix, "bin"))
    kept = [part for part in path.split(os.pathsep) if part and os.path.realpath(part) != ours]
    return os.pathsep.join(kept) or DEFAULT_PATH


def build(request: Mapping[str, str], *, cwd: str, tmp: str, mark: str, findings_file: str = "") -> dict[str, str]:
    """The whole environment of one command. The request's variables win, except for the marker."""
    from workers.runner.tree import MARKER

    env = {**base(), "TMPDIR": tmp, "PWD": cwd, **request, MARKER: mark}
    if findings_file:
        env["SPECYARD_FINDINGS_FILE"] = findings_file
    return env


def _passwd() -> tuple[str, str, str]:
    """Name, home and shell of this user; a user without an entry (a container's bare uid) gets plain ones."""
    try:
        entry = pwd.getpwuid(os.getuid())
    except KeyError:
        return str(os.getuid()), "/", "/bin/sh"
    return entry.pw_name, entry.pw_dir, entry.pw_shell or "/bin/sh"
