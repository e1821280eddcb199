"""`specyard queue`: what waits, its order, and whether it moves."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dashboard.cli import completing
from dashboard.cli.calling import Api
from dashboard.cli.reaching import as_json, reaches, tell_json

if TYPE_CHECKING:
    from rich.text import Text

    from dashboard.cli.tables import Column, Listing

USUAL = 50
ENTRY = click.IntRange(1, 2**63 - 1)
PLACES = ("top", "bottom", "up", "down")
WATCH = click.option("--watch", is_flag=True, help="Draw it anew each second, until Ctrl-C.")


@click.group("queue")
def command() -> None:
    """The queue: list, add, remove, move, pause, resume.

    \b
    Examples:
      specyard queue list
      specyard queue add website/release-notes --top
      specyard queue pause
    """


@command.command("list")
@click.option(
    "--project",
    metavar="NAME",
    default="",
    help="Only of this project, by its name or number.",
    shell_complete=completing.projects,
)
@click.option("--limit", metavar="N", type=click.IntRange(1), default=USUAL, show_default=True, help="How many.")
@click.option("--all", "everything", is_flag=True, help="All there are, however many.")
@WATCH
@as_json
@reaches
def list_(api: Api, project: str, limit: int, everything: bool, watch: bool, as_json: bool) -> None:
    """List what waits, in the order in which it starts, each with why it waits.

    \b
    Examples:
      specyard queue list
      specyard queue list --project website --all
      specyard queue list --json | jq '.items[] | .waits.text'
    """
    from dashboard.cli import naming

    if watch:
        from dashboard.cli import watching

        watching.check(as_json=as_json)
    query = {"project": naming.project(api, project)} if project else {}

    def look() -> dict[str, Any]:
        return api.items("/queue", None if everything else limit, **query)

    if as_json:
        tell_json(look())
        return
    if watch:
        watching.watch(lambda: _parts(api, look()))
    found = look()
    from dashboard.cli import tables

    tables.show(*_parts(api, found))
    if found["next"]:
        click.echo("There are more: --limit or --all shows them.", err=True)


def _parts(api: Api, found: dict[str, Any]) -> "list[Listing | Text]":
    from dashboard.cli.tables import Listing, line

    yard = api.get("/settings")
    slots = f"{yard['active']} of {yard['limit']} worker slots in use, {yard['waiting']} waiting."
    by = f" by {yard['paused_by']}" if yard["paused_by"] else ""
    paused = [line(f"The queue is paused{by}.", "yellow")] if yard["paused"] else []
    rows = [Listing.of(_columns(), found["items"])] if found["items"] else []
    return [line(slots), *paused, *rows]


def _columns() -> "Sequence[Column]":
    from dashboard.cli.tables import Column
    from dashboard.cli.words import clock

    return (
        Column("#", lambda entry: entry["place"], 50, right=True),
        Column("ENTRY", lambda entry: entry["id"], right=True),
        Column("PRIORITY", lambda entry: entry["priority"], 40, right=True),
        Column("PROJECT", lambda entry: entry["project"]["name"], 60, cut=True),
        Column("SPEC", lambda entry: entry["title"], 90, cut=True),
        Column("WAITS BECAUSE", lambda entry: entry["waits"]["text"], 80, cut=True),
        Column("STARTS ABOUT", lambda entry: clock(entry["starts_at"]), 30),
        Column("ADDED BY", lambda entry: entry["added_by"], 20, cut=True),
    )


@command.command("add")
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, shell_complete=completing.specs)
@click.option("--priority", metavar="N", type=click.IntRange(-100, 100), help="-100 to 100; the spec's own without.")
@click.option(
    "--not-before", metavar="TIME", default="", help="Such as 2026-03-01T18:00, in your zone, or +2h, +1h30m."
)
@click.option("--top", is_flag=True, help="Before the others of its priority.")
@as_json
@reaches
def add(api: Api, specs: tuple[str, ...], priority: int | None, not_before: str, top: bool, as_json: bool) -> None:
    """Add specs, each by its number, as project/key, or by its title where no other has it.

    What need not wait starts at once. Several are added in the order in which they stand here, or none where one
    of them cannot be found.

    \b
    Examples:
      specyard queue add 12
      specyard queue add website/release-notes --priority 10
      specyard queue add "Write the release notes" --not-before +2h
      specyard queue add shop/cart shop/search --top
    """
    from dashboard.cli import adding

    body = {"priority": priority, "not_before": adding.moment(not_before), "top": top}
    click.get_current_context().exit(adding.add(api, specs, body, as_json=as_json))


@command.command("remove")
@click.argument("ids", metavar="ENTRY...", nargs=-1, required=True, type=ENTRY, shell_complete=completing.entries)
@as_json
@reaches
def remove(api: Api, ids: tuple[int, ...], as_json: bool) -> None:
    """Take entries out of the queue, by their numbers.

    \b
    Examples:
      specyard queue remove 31
      specyard queue remove 31 32 33
    """
    from dashboard.cli import wishes
    from dashboard.cli.words import visible

    answer = api.post("/queue/actions", {"action": "remove", "ids": ids})
    results = answer["results"]
    if as_json:
        tell_json(answer)
    for result in results if not as_json else ():
        is_done = result["outcome"] == "done"
        click.echo(f"Entry {result['id']} is removed." if is_done else visible(result["detail"]), err=not is_done)
    codes = (wishes.OF_OUTCOME[result["outcome"]] for result in results)
    click.get_current_context().exit(next((code for code in codes if code), 0))


@command.command("move")
@click.argument("entry", metavar="ENTRY", type=ENTRY, shell_complete=completing.entries)
@click.option("--top", "places", flag_value="top", multiple=True, help="To the top of the queue.")
@click.option("--bottom", "places", flag_value="bottom", multiple=True, help="To its bottom.")
@click.option("--up", "places", flag_value="up", multiple=True, help="Past the one before it.")
@click.option("--down", "places", flag_value="down", multiple=True, help="Past the one behind it.")
@click.option("--before", metavar="N", type=ENTRY, help="Right before entry N.", shell_complete=completing.entries)
@click.option("--after", metavar="N", type=ENTRY, help="Right behind entry N.", shell_complete=completing.entries)
@as_json
@reaches
def move(api: Api, entry: int, places: tuple[str, ...], before: int | None, after: int | None, as_json: bool) -> None:
    """Move an entry. Among others of another priority it takes theirs, and says so.

    \b
    Examples:
      specyard queue move 31 --top
      specyard queue move 31 --before 28
    """
    given: list[tuple[str, object]] = [("place", place) for place in places]
    given += [(name, value) for name, value in (("before", before), ("after", after)) if value is not None]
    if len(given) != 1:
        raise click.UsageError("Give exactly one of --top, --bottom, --up, --down, --before and --after.")
    moved = api.post("/queue/reorder", {"entry": entry, **dict(given)})
    if as_json:
        tell_json(moved)
        return
    now = moved["entry"]
    click.echo(f"Entry {now['id']} is number {now['place']} now.")
    if moved["priority_changed"]:
        click.echo(f"It took the priority {now['priority']} to be able to stand there.")


@command.command("pause")
@as_json
@reaches
def pause(api: Api, as_json: bool) -> None:
    """Start nothing more; running workers go on.

    \b
    Example:
      specyard queue pause
    """
    _settle(api, "pause", "The queue is paused", as_json=as_json)


@command.command("resume")
@as_json
@reaches
def resume(api: Api, as_json: bool) -> None:
    """Let the queue move again.

    \b
    Example:
      specyard queue resume
    """
    _settle(api, "resume", "The queue moves", as_json=as_json)


def _settle(api: Api, verb: str, sentence: str, *, as_json: bool) -> None:
    from dashboard.cli.words import counted

    yard = api.post(f"/queue/{verb}")
    if as_json:
        tell_json(yard)
        return
    active = counted(yard["active"], "worker is", "workers are")
    click.echo(f"{sentence}. {active} active, {counted(yard['waiting'], 'spec waits', 'specs wait')}.")
