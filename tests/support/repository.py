"""git repositories for the tests: by an author of their own, whatever the machine's configuration says."""

import subprocess
from pathlib import Path

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "protocol.file.allow=always")


def git(directory: Path, *arguments: str) -> str:
    """What git says in that directory."""
    done = subprocess.run(["git", *IDENTITY, *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout.rstrip("\n")


def commit(directory: Path, **files: str) -> str:
    """Commit files (each named without its .txt) and give the commit."""
    for name, text in files.items():
        (directory / f"{name}.txt").write_text(text)
    if files:
        git(directory, "add", "--", *(f"{name}.txt" for name in files))
    git(directory, "commit", "--quiet", "--allow-empty", "--message", "work")
    return git(directory, "rev-parse", "HEAD")


def repository(directory: Path) -> Path:
    """A repository with one commit on main, whose a.txt says "one"."""
    directory.mkdir()
    git(directory, "init", "--quiet", "--initial-branch", "main")
    commit(directory, a="one\n")
    return directory


def slow_checkout(directory: Path, begun: Path, gate: Path, mark: str = "slow", place: str = "for-*") -> None:
    """Have checkouts of its a.txt in directories of that name say that they have begun, and wait for a gate.

    By default those are workspaces that are made ahead.
    """
    (directory / ".gitattributes").write_text("a.txt filter=slow\n")
    git(directory, "add", ".gitattributes")
    commit(directory)
    waits = f": {mark}; touch {begun}; until test -e {gate}; do sleep 0.02; done"
    git(directory, "config", "filter.slow.smudge", f"case $PWD in */{place}) {waits};; esac; cat")
