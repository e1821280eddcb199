"""`specyard import`: specs from files, all at once on the local database, one by one to a server."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dashboard.cli import completing
from dashboard.cli.calling import Api, Problem
from dashboard.cli.reaching import as_json, reaches, tell_json

if TYPE_CHECKING:
    from specs.storing import ImportResult

FOLDER, ENDINGS = ".specyard", (".yaml", ".yml")
NO_PROJECT = "--project: which project of the server is it? A folder's name says that on its own machine only."


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--project", metavar="NAME", default="", shell_complete=completing.projects,
              help="An existing project; else the one of the folder, made if need be.")  # fmt: skip
@as_json
@reaches
def command(api: Api, path: Path, project: str, as_json: bool) -> None:
    """Import the specs in PATH: one file, or a folder that holds .specyard/*.yaml.

    All of them or, when something is wrong with one, none. Importing again updates them. To a server they are sent
    one by one, into a project that it has: those that it refuses are told, and the others are there.

    \b
    Examples:
      specyard import .
      specyard import .specyard/check.yaml --project specyard
      specyard import . --project website --server https://yard.example.org --token-file ~/.specyard-token
    """
    from dashboard.cli.words import visible

    results = list(_there(api, path, project) if api.where else _here(api, path, project))
    if as_json:
        shown = [{name: value for name, value in result.items() if name != "code"} for result in results]
        tell_json({"done": sum(result["outcome"] != "refused" for result in results), "results": shown})
    else:
        for result in results:
            click.echo(visible(_sentence(result)), err=result["outcome"] == "refused")
    click.get_current_context().exit(next((result["code"] for result in results if result["code"]), 0))


def _here(api: Api, path: Path, name: str) -> Iterator[dict[str, Any]]:
    """On the local database, which is made where there is none. Raises Refused."""
    from dashboard.cli import application, ground, naming
    from dashboard.cli.refusal import BadInput

    ground.directories(ground.configuration())
    application.load()
    from dashboard.cli import prepare
    from specs.errors import SpecInvalid
    from specs.importing import import_path
    from specs.models import Project

    with application.database():
        prepare.bring_up_to_date()
        project = Project.objects.get(pk=naming.project(api, name)) if name else None
        try:
            for found in import_path(path, project):
                yield _told(found)
        except SpecInvalid as error:
            raise BadInput("nothing was imported:\n  " + str(error).replace("\n", "\n  ")) from error


def _told(found: "ImportResult") -> dict[str, Any]:
    spec = found.spec
    outcome = "created" if found.created else "updated" if found.changed else "unchanged"
    return _result(outcome, spec.pk, spec.project.name, spec.key, spec.title, spec.chunks.count())


def _there(api: Api, path: Path, name: str) -> Iterator[dict[str, Any]]:
    """On a server, which reads what is sent to it. Raises Refused."""
    from dashboard.cli import naming
    from dashboard.cli.refusal import BadInput, Refused

    if not name:
        raise BadInput(NO_PROJECT)
    texts = [(file, _text(file)) for file in _files(path)]
    project = naming.project(api, name)
    for file, text in texts:
        body = {"project": project, "key": _key(file), "text": text}
        try:
            status, answer = api.exchange("POST", "/specs/import", {}, body)
            if status >= HTTPStatus.BAD_REQUEST:
                raise Problem(status, answer if isinstance(answer, dict) else {})
        except Refused as refusal:
            refused = _result("refused", None, name, _key(file), file.name, 0)
            yield {**refused, "detail": refusal.message, "code": refusal.exit_code}
            continue
        outcome = "created" if status == HTTPStatus.CREATED else "updated"
        chunks = len(answer["chunks"])
        yield _result(outcome, answer["id"], answer["project"]["name"], answer["key"], answer["title"], chunks)


def _files(path: Path) -> list[Path]:
    """What `specs.discovery` finds, which needs a database."""
    from dashboard.cli.refusal import BadInput

    if path.is_file():
        return [path]
    folder = path if path.absolute().name == FOLDER else path / FOLDER
    files = sorted(file for file in folder.glob("*") if file.suffix in ENDINGS and file.is_file())
    if not files:
        raise BadInput(f"nothing was imported:\n  path: {path} is no file, and holds no {FOLDER}/*.yaml")
    return files


def _key(file: Path) -> str:
    from specs.text import is_name, slug

    return file.stem if is_name(file.stem) else slug(file.stem)


def _text(file: Path) -> str:
    from dashboard.cli.refusal import BadInput

    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file.name}: is not text in UTF-8 (at byte {error.start:,})") from error


def _result(outcome: str, spec: int | None, project: str, key: str, title: str, chunks: int) -> dict[str, Any]:
    names = {"project": project, "key": key, "title": title}
    return {"outcome": outcome, "spec": spec, **names, "chunks": chunks, "detail": "", "code": 0}


def _sentence(result: dict[str, Any]) -> str:
    from dashboard.cli.words import counted

    if result["outcome"] == "refused":
        return f"{result['title']}: {result['detail']}"
    name = f"{result['project']} / {result['title']}"
    return f"{result['outcome']:<9}  {name}  ({counted(result['chunks'], 'chunk')})"
