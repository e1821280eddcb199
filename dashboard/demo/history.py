"""Git repositories with a history, made in one go without any configuration of git."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

BRANCH = "main"
# No repository around us, no template and no hook of this user may have a say in what we make.
OURS = ("-c", "init.templateDir=", "-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", "-c", "gc.auto=0")


class GitFailed(Exception):
    """git is missing, or did not do what it was asked to."""


@dataclass(frozen=True)
class Commit:
    """What a commit changes: whole files, by their path in the repository."""

    subject: str
    at: datetime  # with a time zone
    files: Mapping[str, str] = field(default_factory=dict)
    author: str = "Dana Reyes"
    tag: str = ""


def make_repository(place: Path, commits: Iterable[Commit]) -> bool:
    """Make a repository with these commits and check its branch out, unless something is there already.

    It appears whole or not at all; of two that make the same one, one wins. Whether it was made. Raises GitFailed
    and OSError.
    """
    if place.exists():
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as folder:
        made = Path(folder, place.name)
        made.mkdir()
        _git(made, "init", "--quiet")
        _git(made, "fast-import", "--quiet", stream=_stream(commits))
        _git(made, "symbolic-ref", "HEAD", f"refs/heads/{BRANCH}")
        _git(made, "reset", "--quiet", "--hard")
        try:
            made.rename(place)
        except OSError:
            if not place.exists():
                raise
            return False  # somebody else was faster
    return True


def _stream(commits: Iterable[Commit]) -> bytes:
    """The commits, one on top of the other, as git fast-import reads them."""
    parts: list[bytes] = []
    for commit in commits:
        who = f"{commit.author} <{commit.author.split()[0].lower()}@example.com>"
        parts.append(f"commit refs/heads/{BRANCH}\n".encode())
        parts.append(f"committer {who} {int(commit.at.timestamp())} {commit.at:%z}\n".encode())
        parts.append(_data(commit.subject + "\n"))
        for path, text in sorted(commit.files.items()):
            parts += [f"M 100644 inline {path}\n".encode(), _data(text)]
        if commit.tag:
            parts.append(f"reset refs/tags/{commit.tag}\nfrom refs/heads/{BRANCH}\n\n".encode())
    return b"".join(parts)


def _data(text: str) -> bytes:
    content = text.encode()
    return b"data %d\n%b\n" % (len(content), content)


def _git(place: Path, *words: str, stream: bytes = b"") -> None:
    if shutil.which("git") is None:
        raise GitFailed("git is not installed, or not on the PATH")
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    surroundings |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
    done = subprocess.run(["git", *OURS, *words], cwd=place, env=surroundings, input=stream, capture_output=True)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise GitFailed(f"git {words[0]} failed: {said[-1]}")
