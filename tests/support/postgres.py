"""The PostgreSQL of the tests, when it is one that they may restart."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from django.db import connection

LOCAL = ("", "127.0.0.1", "localhost", "::1")


class Untouchable(Exception):
    """This server is not ours to restart; the message says why."""


class Server:
    """A local server, restarted as its owner."""

    def __init__(self, data: Path, control: Path, owner: str) -> None:
        self.data, self._control, self._owner = data, control, owner

    def restart(self) -> None:
        """End every connection at once and start again; returns when it takes connections."""
        command = [str(self._control), "-D", str(self.data), "restart", "-m", "fast", "-w", "-t", "60"]
        if pwd.getpwuid(os.getuid()).pw_name != self._owner:
            command = ["runuser", "-u", self._owner, "--", *command]
        subprocess.run(command, check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def server() -> Server:
    """The server that the tests' database lives on. Raises Untouchable."""
    if connection.vendor != "postgresql":
        raise Untouchable("the tests run on SQLite; set DATABASE_URL to a local PostgreSQL that may be restarted")
    host = str(connection.settings_dict["HOST"])
    if host not in LOCAL and not host.startswith("/"):
        raise Untouchable(f"the PostgreSQL on {host} is not on this machine")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_has_role(current_user, 'pg_read_all_settings', 'member')")
        (may_look,) = cursor.fetchone()
        if not may_look:
            raise Untouchable("the user of the tests may not ask the PostgreSQL where its data directory is")
        cursor.execute("SHOW data_directory")
        (directory,) = cursor.fetchone()
        cursor.execute("SHOW server_version_num")
        major = int(cursor.fetchone()[0]) // 10000
    return _server(Path(directory), major)


def _server(data: Path, major: int) -> Server:
    if not (data / "postmaster.pid").exists():
        raise Untouchable(f"the PostgreSQL's data directory {data} is not on this machine")
    owner = pwd.getpwuid(data.stat().st_uid)
    if os.getuid() not in (0, owner.pw_uid):
        raise Untouchable(f"only {owner.pw_name} may restart the PostgreSQL in {data}")
    control = _control(major)
    if control is None:
        raise Untouchable(f"there is no pg_ctl of PostgreSQL {major} on this machine")
    return Server(data, control, owner.pw_name)


def _control(major: int) -> Path | None:
    """The pg_ctl of this version: where Debian has it, else the one on the path."""
    debian = Path(f"/usr/lib/postgresql/{major}/bin/pg_ctl")
    found = shutil.which("pg_ctl")
    return debian if debian.exists() else Path(found) if found else None
