"""`specyard workers cleanup`: what is dead on this machine is listed, asked about, and removed."""

import os
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import click

from dashboard.cli.reaching import tell_json
from dashboard.cli.refusal import BadInput, Refused
from dashboard.cli.words import counted, size, visible

if TYPE_CHECKING:
    from workers.cleaning import Dead

ELSEWHERE = "workers cleanup removes files of this machine, and SPECYARD_SERVER names another one. Unset it."
NOBODY_TO_ASK = "Nobody is there to be asked. To remove without asking: --force; only to list: --dry-run."
WORDS = {
    "run": "run directory",
    "agent_data": "home of agents",
    "workspace": "workspace",
    "socket": "stale socket",
    "leftover": "left by an earlier cleanup",
}


def clean(*, everything: bool, force: bool, dry_run: bool, as_json: bool) -> None:
    """List what is dead, ask, remove it. Raises Refused; leaves with FAILED when something could not be removed."""
    from dashboard.cli import application, ground, local

    if os.environ.get("SPECYARD_SERVER"):
        raise BadInput(ELSEWHERE)
    if as_json and not (force or dry_run):
        raise BadInput(NOBODY_TO_ASK)
    local.check(ground.configuration())
    application.load()
    with application.database():
        left = _clean(everything=everything, force=force, dry_run=dry_run, as_json=as_json)
    click.get_current_context().exit(1 if left else 0)


def _clean(*, everything: bool, force: bool, dry_run: bool, as_json: bool) -> dict[str, str]:
    """Gives what could not be removed, with the reasons."""
    from django.conf import settings

    from workers import cleaning

    node = settings.SPECYARD.node_name
    found = cleaning.survey(node, _kept())
    doomed = [dead for dead in found if everything or not dead.loses]
    spared = [dead for dead in found if not everything and dead.loses]
    if not as_json:
        _list(node, doomed, spared)
    if doomed and not (force or dry_run):
        _ask(doomed)
    left = {} if dry_run else _remove(doomed)
    if as_json:
        tell_json(_document(node, doomed, spared, left, dry_run=dry_run))
    elif doomed and not dry_run:
        gone = [dead for dead in doomed if str(dead.path) not in left]
        click.echo(f"Removed {counted(len(gone), 'thing')}, {size(sum(dead.bytes for dead in gone))}.")
        for path, why in left.items():
            click.echo(f"{visible(path)} is still there: {visible(why)}", err=True)
    return left


def _kept() -> Collection[int]:
    """The workers that entries of the queue will continue."""
    from queue_app.models import WorkerQueue

    found = WorkerQueue.objects.exclude(continues=None).values_list("continues", flat=True)
    return {number for number in found if number is not None}


def _remove(doomed: "Sequence[Dead]") -> dict[str, str]:
    from dashboard import signin
    from workers import cleaning

    by = signin.owner().get_username()
    told = {str(dead.path): cleaning.remove(dead, _kept, by) for dead in doomed}
    return {path: why for path, why in told.items() if why}


def _list(node: str, doomed: "Sequence[Dead]", spared: "Sequence[Dead]") -> None:
    from dashboard.cli.tables import Column, Listing, line, show

    columns = (
        Column("WORKER", lambda dead: dead.worker or "", 80, right=True),
        Column("WHAT", lambda dead: WORDS[dead.kind], 90),
        Column("SIZE", lambda dead: size(dead.bytes), 95, right=True),
        Column("PATH", lambda dead: dead.path, 100, cut=True),
    )
    click.echo(f"Only what is on this machine, the node {visible(node)}.", err=True)
    if doomed:
        total = size(sum(dead.bytes for dead in doomed))
        show(Listing.of(columns, doomed), line(f"{counted(len(doomed), 'thing')}, {total}."))
    else:
        click.echo("Nothing is dead.")
    for dead in doomed:
        if dead.loses:
            lost = [line(f"  {each}", "red") for each in dead.loses]
            show(line(f"Worker {dead.worker} has work that would be lost:", "bold red"), *lost)
    if spared:
        workers = ", ".join(str(dead.worker) for dead in spared)
        click.echo(
            f"Left alone: {counted(len(spared), 'workspace')} with unmerged work (of worker {workers}). Merge or "
            "discard them, or see with --all what would be lost.",
            err=True,
        )


def _ask(doomed: "Sequence[Dead]") -> None:
    """Raises BadInput where nobody can answer, and Refused when the answer is no."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput(NOBODY_TO_ASK)
    losing = [dead for dead in doomed if dead.loses]
    if losing:
        many = counted(len(losing), "workspace")
        question = f'The work in {many} will be lost. To remove all of it, type "yes"'
        is_sure = click.prompt(question, default="no") == "yes"
    else:
        is_sure = click.confirm("Remove them?")
    if not is_sure:
        raise Refused("Nothing was removed.")


def _document(
    node: str, doomed: "Sequence[Dead]", spared: "Sequence[Dead]", left: dict[str, str], *, dry_run: bool
) -> dict[str, Any]:
    items = [{**_shown(dead), "left": left.get(str(dead.path), "")} for dead in doomed]
    gone = [dead for dead in doomed if str(dead.path) not in left]
    return {
        "node": node,
        "dry_run": dry_run,
        "bytes": sum(dead.bytes for dead in gone),
        "items": items,
        "kept": [_shown(dead) for dead in spared],
    }


def _shown(dead: "Dead") -> dict[str, Any]:
    return {
        "worker": dead.worker or None,
        "kind": dead.kind,
        "path": str(dead.path),
        "bytes": dead.bytes,
        "loses": list(dead.loses),
    }
