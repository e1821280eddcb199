"""One worker on the terminal: what is known of it, its chunks, its latest attempts."""

from typing import Any

from rich.text import Text

from dashboard.cli.tables import Column, Listing, facts, line
from dashboard.cli.words import ago, clock, counted, duration
from dashboard.cli.workers import ATTEMPTS_SHOWN, progress, state

CHUNKS = (
    Column("#", lambda chunk: chunk["ordinal"], right=True),
    Column("CHUNK", lambda chunk: chunk["title"], 90, cut=True),
    Column("OUTCOME", lambda chunk: chunk["outcome"], 95),
    Column("EXECUTOR", lambda chunk: chunk["executor"], 50, cut=True),
    Column("ENDED", lambda chunk: clock(chunk["finished_at"]), 40),
)
ATTEMPTS = (
    Column("#", lambda attempt: attempt["chunk"]["ordinal"], right=True),
    Column("TRY", lambda attempt: attempt["number"], 90, right=True),
    Column("STATUS", lambda attempt: attempt["status"], 95),
    Column("TIME", lambda attempt: duration(attempt["duration"]), 60, right=True),
    Column("MESSAGE", lambda attempt: attempt["message"] or attempt["reason"], 80, cut=True),
)


def worker(found: dict[str, Any]) -> list[Listing | Text]:
    """What `specyard workers show` draws."""
    parts: list[Listing | Text] = [
        line(f"Worker {found['id']}: {found['title']}", "bold"),
        facts(_facts(found)),
        line(""),
        Listing.of(CHUNKS, found["chunks"]),
    ]
    attempts = found["attempts"]
    if attempts:
        more = len(attempts) - ATTEMPTS_SHOWN
        title = f"The last {ATTEMPTS_SHOWN} of {len(attempts)} attempts" if more > 0 else "Attempts"
        parts += [line(""), line(title, "bold"), Listing.of(ATTEMPTS, attempts[-ATTEMPTS_SHOWN:])]
    return parts


def _facts(found: dict[str, Any]) -> list[tuple[str, object]]:
    tokens = found["tokens_in"] + found["tokens_out"]
    step = found["step"] if found["slot"] is not None else ""
    chunk = found["chunk"]
    return [
        ("Status", state(found)),
        ("Needs you", found["attention"]),
        ("Waits for", found["waits_for"]),
        ("Why", found["error"] or found["reason"]),
        ("Project", found["project"]["name"]),
        ("Chunks", progress(found)),
        ("Now", f"{step}: {chunk['title']}" if step and chunk else step),
        ("Last line", found["last_line"]),
        ("Node", found["node"]),
        ("Branch", found["branch"]),
        ("Continues", f"worker {found['continues']}" if found["continues"] else ""),
        ("Asked by", found["created_by"]),
        ("Started", f"{ago(found['started_at'])} ago" if found["started_at"] else ""),
        ("Took" if found["completed_at"] else "Runs for", duration(found["duration"])),
        ("Used", f"{counted(tokens, 'token')}, ${found['cost']:.2f}" if tokens or found["cost"] else ""),
    ]
