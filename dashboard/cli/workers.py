"""`specyard workers`: what runs and has run, and what is asked of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dashboard.cli import completing, flags
from dashboard.cli.calling import Api
from dashboard.cli.reaching import as_json, reaches, tell_json

if TYPE_CHECKING:
    from rich.text import Text

    from dashboard.cli.tables import Column, Listing

STATUSES = ("idle", "running", "paused", "completed", "failed", "stopped")
USUAL, WAIT_SECONDS = 20, 15.0
ATTEMPTS_SHOWN = 10
MOST_IDS = 1000
WATCH = click.option("--watch", is_flag=True, help="Draw it anew each second, until Ctrl-C.")
IDS = click.argument(
    "ids", metavar="ID...", nargs=-1, type=click.IntRange(1, 2**63 - 1), shell_complete=completing.workers
)


@click.group("workers")
def command() -> None:
    """Workers: list, show, pause, resume, stop, clean up.

    \b
    Examples:
      specyard workers list --status running --status paused
      specyard workers pause 12 13 --wait
      specyard workers cleanup
    """


@command.command("list")
@click.option("--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="Several times for several.")
@click.option("--project", metavar="NAME", default="", help="Only of this project, by its name or number.",
              shell_complete=completing.projects)  # fmt: skip
@click.option("--attention", is_flag=True, help="Only those that wait for a person.")
@click.option("--limit", metavar="N", type=click.IntRange(1), default=USUAL, show_default=True, help="How many.")
@click.option("--all", "everything", is_flag=True, help="All there are, however many.")
@WATCH
@as_json
@reaches
def list_(
    api: Api, statuses: tuple[str, ...], project: str, attention: bool, limit: int, everything: bool, watch: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """List workers: the active ones by slot, then those that have ended, the latest first.

    \b
    Examples:
      specyard workers list
      specyard workers list --status failed --project website --limit 50
      specyard workers list --watch
      specyard workers list --json | jq '.items[].id'
      specyard workers list --server https://yard.example.org --token-file ~/.specyard-token
    """
    from dashboard.cli import naming

    _check_watch(watch, as_json)
    query: dict[str, Any] = {"status": statuses} if statuses else {}
    if project:
        query["project"] = naming.project(api, project)
    if attention:
        query["attention"] = "true"

    def look() -> dict[str, Any]:
        return api.items("/workers", None if everything else limit, **query)

    if as_json:
        tell_json(look())
        return
    _draw(look, watch=watch)


def _check_watch(watch: bool, as_json: bool) -> None:
    if watch:
        from dashboard.cli import watching

        watching.check(as_json=as_json)


def _draw(look: Any, *, watch: bool) -> None:
    if watch:
        from dashboard.cli import watching

        watching.watch(lambda: _parts(look()["items"]))
    page = look()  # before rich is there, which structlog would take for a reason to load more of it
    from dashboard.cli import tables

    tables.show(*_parts(page["items"]))
    if page["next"]:
        click.echo("There are more: --limit or --all shows them.", err=True)


def _parts(workers: Sequence[Any]) -> "list[Listing | Text]":
    from dashboard.cli.tables import Listing, line

    return [Listing.of(columns(), workers)] if workers else [line("No workers.")]


def columns() -> "Sequence[Column]":
    """Of a list of workers."""
    from dashboard.cli.tables import Column
    from dashboard.cli.words import duration

    return (
        Column("ID", lambda worker: worker["id"], right=True),
        Column("STATUS", state, 95),
        Column("PROJECT", lambda worker: worker["project"]["name"], 60, cut=True),
        Column("SPEC", lambda worker: worker["title"], 90, cut=True),
        Column("DONE", progress, 80, right=True),
        Column("CHUNK", _chunk, 40, cut=True),
        Column("TIME", lambda worker: duration(worker["duration"]), 70, right=True),
        Column("NODE", lambda worker: worker["node"], 20, cut=True),
    )


def state(worker: Any) -> str:
    """Its status, or what it is about to become; with a mark where it waits for a person."""
    status, desired = worker["status"], worker["desired"]
    if status in ("running", "paused"):
        status = {("stop", status): "stopping", ("pause", "running"): "pausing", ("run", "paused"): "resuming"}.get(
            (desired, status), status
        )
    return f"{status} !" if worker["attention"] else str(status)


def progress(worker: Any) -> str:
    """How many of its chunks are settled."""
    count = worker["progress"]
    return f"{count['passed'] + count['failed'] + count['skipped']}/{count['total']}"


def _chunk(worker: Any) -> str:
    return worker["chunk"]["title"] if worker["chunk"] and worker["slot"] is not None else ""


@command.command("show")
@click.argument("worker", metavar="ID", type=click.IntRange(1, 2**63 - 1), shell_complete=completing.workers)
@as_json
@reaches
def show(api: Api, worker: int, as_json: bool) -> None:
    """Show one worker with its chunks and its latest attempts.

    \b
    Examples:
      specyard workers show 12
      specyard workers show 12 --json | jq .attempts
    """
    found = api.get(f"/workers/{worker}")
    found["chunks"] = api.get(f"/workers/{worker}/chunks")
    found["attempts"] = api.items(f"/workers/{worker}/attempts")["items"]
    if as_json:
        tell_json(found)
        return
    from dashboard.cli import showing, tables

    tables.show(*showing.worker(found))


def _a_number(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """NaN lies in every range, and no clock ever comes that far."""
    if value != value:
        raise click.BadParameter("nan is no number of seconds.")
    return value


def _wish(name: str, what: str, example: str) -> None:
    """Add the command for a verb."""

    @command.command(name, help=f"{what}\n\n\b\nExamples:\n{example}")
    @IDS
    @click.option("--all", "everybody", is_flag=True, help="All active workers.")
    @click.option("--wait", is_flag=True, help="Wait until it is so.")
    @click.option(
        "--timeout", metavar="SECONDS", type=click.FloatRange(0, 3600), default=WAIT_SECONDS, show_default=True,
        callback=_a_number, help="How long --wait waits."
    )  # fmt: skip
    @as_json
    @reaches
    def wish(api: Api, ids: tuple[int, ...], everybody: bool, wait: bool, timeout: float, as_json: bool) -> None:
        from dashboard.cli import wishes

        if bool(ids) == everybody:
            raise click.UsageError("Give the numbers of workers, or --all.")
        if len(ids) > MOST_IDS:
            raise click.UsageError(f"At most {MOST_IDS} workers at once.")
        verb = getattr(wishes, name.upper())
        answer = wishes.ask(api, verb, ids, everybody=everybody)
        patience = timeout if wait else None
        code = wishes.tell(api, verb, answer, everybody=everybody, wait=patience, as_json=as_json)
        click.get_current_context().exit(code)


_wish(
    "pause",
    "Freeze workers, with everything that they have started; each keeps its slot.",
    "  specyard workers pause 12 13\n  specyard workers pause --all --wait",
)
_wish(
    "resume",
    "Let workers go on.",
    "  specyard workers resume 12\n  specyard workers resume --all",
)
_wish(
    "stop",
    "End workers, with everything that they have started. What has passed is kept.",
    "  specyard workers stop 12 --wait --timeout 30\n  specyard workers stop --all --json",
)


@command.command("cleanup")
@click.option("--all", "everything", is_flag=True, help="Also workspaces with work that is nowhere else.")
@click.option("--force", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only list.")
@as_json
@flags.settings("--data-dir", "--config")
def cleanup(everything: bool, force: bool, dry_run: bool, as_json: bool) -> None:
    """Remove what ended workers have left on this machine, after having listed it and asked.

    That is: run directories, homes of agents, stale sockets, and workspaces whose work was merged or discarded, or
    that changed nothing. With --all every workspace of an ended worker, unmerged work too; what would be lost is
    listed, and has to be confirmed with the word yes. Never touched: what active workers use, or what an entry of
    the queue continues. Logs and the history stay.

    \b
    Examples:
      specyard workers cleanup
      specyard workers cleanup --dry-run --json
      specyard workers cleanup --all --force
    """
    from dashboard.cli import cleaning

    cleaning.clean(everything=everything, force=force, dry_run=dry_run, as_json=as_json)
