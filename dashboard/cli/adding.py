"""Adding specs to the queue, with what became of each."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from dashboard.cli import naming
from dashboard.cli.calling import Api
from dashboard.cli.reaching import tell_json
from dashboard.cli.refusal import BadInput, Refused
from dashboard.cli.words import visible

IN = re.compile(r"\+(?:(\d{1,4})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", re.ASCII)


def moment(text: str) -> str | None:
    """A time as the API reads it: of one with a date, in this machine's zone unless it names one, or of "+2h" from now.

    Raises BadInput.
    """
    if not text:
        return None
    found = IN.fullmatch(text)
    try:
        if found and any(found.groups()):
            days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
            at = datetime.now(UTC) + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        else:
            at = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise BadInput(
            f"--not-before: {visible(text[:60])} is no time. Write 2026-03-01T18:00, or +2h, +1h30m, +1d."
        ) from None
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def add(api: Api, words: Sequence[str], how: dict[str, Any], *, as_json: bool) -> int:
    """Add what the words call; gives the exit code. Raises Refused before anything is added where one is unknown."""
    ids = [naming.spec(api, word) for word in words]
    if len(set(ids)) < len(ids):
        raise BadInput("SPEC: the same spec is named twice, and waits only once.")
    body = {name: value for name, value in how.items() if value not in (None, False)}
    results = []
    for word, pk in zip(words, ids, strict=True) if not body.get("top") else list(zip(words, ids, strict=True))[::-1]:
        results.append(_one(api, word, {"spec": pk, **body}))
    if body.get("top"):
        results.reverse()  # the last went to the top first, so that they stand as they were named
    if as_json:
        shown = [{name: value for name, value in result.items() if name not in ("code", "word")} for result in results]
        tell_json({"done": sum(not result["code"] for result in results), "results": shown})
    else:
        for result in results:
            click.echo(visible(_sentence(result)), err=bool(result["code"]))
    return next((result["code"] for result in results if result["code"]), 0)


def _one(api: Api, word: str, body: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {"word": word, "spec": body["spec"], "code": 0, "outcome": "waits"}
    result |= {"detail": "", "entry": None, "worker": None}
    try:
        made = api.post("/queue", body)
    except Refused as refusal:
        return result | {"code": refusal.exit_code, "outcome": "refused", "detail": refusal.message}
    if "place" in made:
        return result | {"entry": made}
    return result | {"outcome": "started", "worker": made}


def _sentence(result: dict[str, Any]) -> str:
    if result["code"]:
        return f"{result['word']}: {result['detail']}"
    if worker := result["worker"]:
        return f"Worker {worker['id']} has started: {worker['project']['name']} / {worker['title']}"
    entry = result["entry"]
    name = f"{entry['project']['name']} / {entry['title']}"
    return f"Entry {entry['id']} is number {entry['place']}: {name}. {entry['waits']['text']}"
