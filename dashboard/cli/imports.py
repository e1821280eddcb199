"""`specyard import`: specs from files."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from specs.models import Project
    from specs.storing import ImportResult


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--project", metavar="NAME", help="An existing project; else the one of the folder, made if need be.")
def command(path: Path, project: str | None) -> None:
    """Import the specs in PATH: one file, or a folder that holds .specyard/*.yaml.

    All of them or, when something is wrong with one, none. Importing again updates them.

    \b
    Examples:
      specyard import .
      specyard import .specyard/check.yaml --project specyard
    """
    from dashboard.cli import application, ground
    from dashboard.cli.refusal import BadInput

    ground.directories(ground.configuration())
    application.load()
    from dashboard.cli import prepare
    from specs.errors import SpecInvalid
    from specs.importing import import_path

    with application.database():
        prepare.bring_up_to_date()
        try:
            results = import_path(path, _named(project) if project else None)
        except SpecInvalid as error:
            raise BadInput("nothing was imported:\n  " + str(error).replace("\n", "\n  ")) from error
        for result in results:
            click.echo(_line(result))


def _named(name: str) -> "Project":
    from dashboard.cli.refusal import BadInput
    from specs.models import Project

    found = Project.objects.filter(name=name).first() if "\0" not in name else None
    if found is None:
        known = ", ".join(Project.objects.order_by("name").values_list("name", flat=True)[:20])
        raise BadInput(f'--project: there is no project "{name}". Known: {known or "none yet"}')
    return found


def _line(result: "ImportResult") -> str:
    done = "created" if result.created else "updated" if result.changed else "unchanged"
    spec = result.spec
    count = spec.chunks.count()
    return f"{done:<9}  {spec.project.name} / {spec.title}  ({count} chunk{'' if count == 1 else 's'})"
