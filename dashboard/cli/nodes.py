"""`specyard nodes`: the machines that run workers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dashboard.cli import completing
from dashboard.cli.calling import Api
from dashboard.cli.reaching import as_json, reaches, tell_json

if TYPE_CHECKING:
    from dashboard.cli.tables import Column

STATUSES = ("online", "draining", "offline", "silent")


@click.group("nodes")
def command() -> None:
    """Nodes: list, drain, take back.

    \b
    Examples:
      specyard nodes list
      specyard nodes drain yard-2
    """


@command.command("list")
@click.option("--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="Several times for several.")
@click.option("--watch", is_flag=True, help="Draw it anew each second, until Ctrl-C.")
@as_json
@reaches
def list_(api: Api, statuses: tuple[str, ...], watch: bool, as_json: bool) -> None:
    """List the machines in the order in which they registered first.

    \b
    Examples:
      specyard nodes list
      specyard nodes list --status silent --status offline --json
    """
    if watch:
        from dashboard.cli import watching

        watching.check(as_json=as_json)

    def look() -> list[Any]:
        return [node for node in api.items("/nodes")["items"] if not statuses or node["status"] in statuses]

    if as_json:
        tell_json({"items": look(), "next": None})
        return

    def parts() -> list[Any]:
        found = look()
        from dashboard.cli import tables

        return [tables.Listing.of(_columns(), found)] if found else [tables.line("No nodes.")]

    if watch:
        watching.watch(parts)
    drawn = parts()
    from dashboard.cli.tables import show

    show(*drawn)


def _columns() -> "Sequence[Column]":
    from dashboard.cli.tables import Column
    from dashboard.cli.words import ago

    return (
        Column("ID", lambda node: node["id"], 30, right=True),
        Column("NODE", lambda node: node["name"], cut=True),
        Column("STATUS", lambda node: node["status"], 95),
        Column("WORKERS", _workers, 90, right=True),
        Column("LOAD", lambda node: f"{node['load']:.1f}", 70, right=True),
        Column("MEMORY", lambda node: f"{node['memory']:.0f} %", 60, right=True),
        Column("SEEN", lambda node: f"{ago(node['last_seen_at'])} ago" if node["last_seen_at"] else "never", 80),
        Column("EXECUTORS", lambda node: ", ".join(node["executors"]), 40, cut=True),
    )


def _workers(node: Any) -> str:
    most = "" if node["max_workers"] is None else f"/{node['max_workers']}"
    return f"{node['active']}{most}"


@command.command("drain")
@click.argument("node", metavar="NODE", shell_complete=completing.nodes)
@as_json
@reaches
def drain(api: Api, node: str, as_json: bool) -> None:
    """Let a node take no new work, by its name or number; what runs on it goes on to its end.

    Lasts until `specyard nodes resume`, or until the node starts anew. For administrators.

    \b
    Example:
      specyard nodes drain yard-2
    """
    _ask(api, node, "drain", as_json=as_json)


@command.command("resume")
@click.argument("node", metavar="NODE", shell_complete=completing.nodes)
@as_json
@reaches
def resume(api: Api, node: str, as_json: bool) -> None:
    """Let a drained node take work again, by its name or number. For administrators.

    \b
    Example:
      specyard nodes resume yard-2
    """
    _ask(api, node, "resume", as_json=as_json)


def _ask(api: Api, word: str, verb: str, *, as_json: bool) -> None:
    from dashboard.cli import naming
    from dashboard.cli.words import counted, visible

    found = api.post(f"/nodes/{naming.node(api, word)}/{verb}")
    if as_json:
        tell_json(found)
        return
    runs = f"{counted(found['active'], 'worker runs', 'workers run')} on it."
    takes = "takes work again" if verb == "resume" else "takes no new work"
    click.echo(f"{visible(found['name'])} {takes}. {runs}")
