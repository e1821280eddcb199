"""The files that the repositories consist of."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

FILES = Path(__file__).parent / "files"
FIRST_DAY = datetime(2025, 2, 3, 9, 12, tzinfo=UTC)


def files_of(name: str) -> dict[str, str]:
    """The texts of a repository by path, with the scripts that all of them share."""
    found: dict[str, str] = {}
    for root in (FILES / "common", FILES / name):
        found |= {
            path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
            for path in root.rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
    return found


def day(number: int) -> datetime:
    """A moment on the so-manieth day of a repository's made-up history; always the same one."""
    return FIRST_DAY + timedelta(days=number, minutes=number * 37 % 480)
