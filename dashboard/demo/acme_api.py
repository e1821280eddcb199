"""acme-api: a Python package whose history holds a bug to be found."""

from http import HTTPStatus

from dashboard.demo.history import Commit
from dashboard.demo.sources import day, files_of

NAME = "acme-api"
ERRORS, PAGING = "acme/errors.py", "acme/paging.py"
CODES = sorted(status.value for status in HTTPStatus if 400 <= status.value < 512)
FIRST_CODES = (400, 404)
BUG_AT = 17  # the number of the commit that brings the bug in
RELEASE_EVERY = 7
AUTHORS = ("Dana Reyes", "Jun Park", "Amara Okafor")


def commits() -> list[Commit]:
    """The package as it began, an error more with each commit, and among them one that breaks the last page."""
    files = files_of(NAME)
    known = set(FIRST_CODES)
    found = [Commit("Start acme-api", day(0), files | {ERRORS: _errors(known)}, tag="v1.0")]
    for code in (code for code in CODES if code not in FIRST_CODES):
        if len(found) == BUG_AT:
            found.append(_commit(len(found), "Simplify the page count", {PAGING: broken(files[PAGING])}))
        known.add(code)
        found.append(_commit(len(found), f"Explain error {code}", {ERRORS: _errors(known)}))
    return found


def broken(paging: str) -> str:
    """The module with the bug: a page that is not full is not counted."""
    text = paging.replace("-(-items // size)", "items // size")
    assert text != paging
    return text


def _commit(number: int, subject: str, files: dict[str, str]) -> Commit:
    release = f"v1.{number // RELEASE_EVERY}" if number % RELEASE_EVERY == 0 else ""
    return Commit(subject, day(number), files, author=AUTHORS[number % len(AUTHORS)], tag=release)


def _errors(codes: set[int]) -> str:
    lines = [f'    {code}: "{HTTPStatus(code).phrase}.",' for code in sorted(codes)]
    return "\n".join(['"""The errors that clients may see, by code."""', "", "ERRORS = {", *lines, "}", ""])
