"""What is asked of several workers at once, what became of each, and waiting until it is true."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import click

from dashboard.cli import exits
from dashboard.cli.calling import Api
from dashboard.cli.reaching import tell_json
from dashboard.cli.words import counted, duration, moment, visible

ACTIVE = ("idle", "running", "paused")
FINAL = ("completed", "failed", "stopped")
POLL_SECONDS = 0.2
NODE_SECONDS = 90.0  # since a node was heard of, as long as nobody has marked it silent
OF_OUTCOME = {"done": exits.DONE, "refused": exits.NOT_NOW, "missing": exits.NOT_FOUND}


@dataclass(frozen=True)
class Verb:
    """Something that people ask of workers: its name, what is said when it was asked, and when it is true."""

    name: str
    asked: str
    reached: tuple[str, ...]  # statuses
    became: str


PAUSE = Verb("pause", "is asked to pause", ("paused",), "is paused")
RESUME = Verb("resume", "is asked to go on", ("running",), "goes on")
STOP = Verb("stop", "is asked to stop", FINAL, "has ended")


def ask(api: Api, verb: Verb, ids: Sequence[int], *, everybody: bool) -> dict[str, Any]:
    """Ask it of these workers, or of all active ones; what became of each. Raises Problem."""
    whom = {"status": ACTIVE} if everybody else {"ids": ids}
    answer: dict[str, Any] = api.post("/workers/actions", {"action": verb.name, **whom})
    return answer


def tell(api: Api, verb: Verb, answer: dict[str, Any], *, everybody: bool, wait: float | None, as_json: bool) -> int:
    """Say what became of each, after having waited if asked to; gives the exit code."""
    results = answer["results"]
    done = [result["id"] for result in results if result["outcome"] == "done"]
    now = _reached(api, verb, done, wait) if wait is not None else {}
    if wait is not None:
        for result in results:
            result["reached"] = result["id"] in now and now[result["id"]] in verb.reached
    if waiting := [pk for pk in done if now.get(pk) not in verb.reached]:
        answer["nodes_away"] = _away(api, waiting)
    if as_json:
        tell_json(answer)
    else:
        _say(verb, results, now, wait)
        _say_who_is_away(answer.get("nodes_away", []))
    return _code(results, everybody=everybody, waited=wait is not None)


def _say(verb: Verb, results: list[dict[str, Any]], now: dict[int, str], wait: float | None) -> None:
    if not results:
        click.echo("No worker is active.")
    for result in results:
        pk = result["id"]
        if result["outcome"] != "done":
            click.echo(visible(result["detail"]), err=True)
        elif wait is None:
            click.echo(f"Worker {pk} {verb.asked}.")
        elif result["reached"]:
            click.echo(f"Worker {pk} {verb.became}.")
        elif now.get(pk) in FINAL:
            click.echo(f"Worker {pk} has ended meanwhile: {now[pk]}.", err=True)
        else:
            state = now.get(pk, "unknown")
            click.echo(f"Worker {pk} {verb.asked}, but is still {state} after {duration(wait)}.", err=True)


def _code(results: list[dict[str, Any]], *, everybody: bool, waited: bool) -> int:
    """Of the first that has not worked; of all active ones, some may have ended meanwhile."""
    codes = [OF_OUTCOME[result["outcome"]] for result in results] if not everybody else []
    if waited:
        codes += [exits.FAILED for result in results if result["outcome"] == "done" and not result["reached"]]
    return next((code for code in codes if code), exits.DONE)


def _reached(api: Api, verb: Verb, ids: Collection[int], seconds: float) -> dict[int, str]:
    """The statuses of the workers, once all have one that was wanted or have ended, or the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        now = {pk: worker["status"] for pk, worker in _workers(api, ids).items()}
        if all(status in (*verb.reached, *FINAL) for status in now.values()) or time.monotonic() >= deadline:
            return now
        time.sleep(POLL_SECONDS)


def _workers(api: Api, ids: Collection[int]) -> dict[int, Any]:
    """These workers as they are: the active ones by their list, the others one by one."""
    found: dict[int, Any] = {}
    if len(ids) > 1:
        active = api.items("/workers", status=ACTIVE)["items"]
        found = {worker["id"]: worker for worker in active if worker["id"] in set(ids)}
    for pk in ids:
        if pk not in found:
            found[pk] = api.get(f"/workers/{pk}")
    return found


def _away(api: Api, ids: Sequence[int]) -> list[str]:
    """The nodes that have to carry out what was asked of these workers, and are not there."""
    here = {node["name"] for node in api.items("/nodes")["items"] if _is_here(node)}
    workers = _workers(api, ids).values()
    return sorted({worker["node"] for worker in workers if worker["status"] in ACTIVE} - here)


def _say_who_is_away(names: Sequence[str]) -> None:
    if names:
        verb = "is" if len(names) == 1 else "are"
        click.echo(
            f"{counted(len(names), 'node')} {verb} not there ({', '.join(map(visible, names))}): what was asked is "
            "noted, and done as soon as Specyard runs there again.",
            err=True,
        )


def _is_here(node: dict[str, Any]) -> bool:
    if node["status"] not in ("online", "draining"):
        return False
    seen = moment(node["last_seen_at"])
    return seen is not None and time.time() - seen.timestamp() < NODE_SECONDS
