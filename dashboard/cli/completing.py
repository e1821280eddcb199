"""What the shell offers behind a command: from the local database, without Django and without waiting."""

import contextlib
import sqlite3
from typing import Any

import click
from click.shell_completion import CompletionItem

SQLITE, POSTGRESQL = "sqlite:///", ("postgres://", "postgresql://")
SECONDS = 1  # after which nothing is offered
WORKERS = "SELECT id, status, title FROM workers_worker WHERE CAST(id AS TEXT) LIKE {} ORDER BY id DESC LIMIT 50"
ENTRIES = """
    SELECT queue_app_workerqueue.id, priority_, title FROM (
        SELECT id, spec_id, 'priority ' || priority AS priority_ FROM queue_app_workerqueue
    ) AS queue_app_workerqueue JOIN specs_spec ON specs_spec.id = spec_id
    WHERE CAST(queue_app_workerqueue.id AS TEXT) LIKE {} ORDER BY queue_app_workerqueue.id LIMIT 50"""
SPECS = """
    SELECT specs_project.name || '/' || specs_spec.key AS called, '', title
    FROM specs_spec JOIN specs_project ON specs_project.id = project_id
    WHERE specs_project.name || '/' || specs_spec.key LIKE {} ORDER BY called LIMIT 50"""
PROJECTS = "SELECT name, '', '' FROM specs_project WHERE name LIKE {} ORDER BY name LIMIT 50"
NODES = "SELECT name, status, '' FROM workers_node WHERE name LIKE {} ORDER BY name LIMIT 50"
Items = list[CompletionItem]


def workers(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Numbers of workers, the latest first."""
    return _offered(context, WORKERS, incomplete)


def entries(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Numbers of what waits."""
    return _offered(context, ENTRIES, incomplete)


def specs(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Specs as project/key."""
    return _offered(context, SPECS, incomplete)


def projects(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Names of projects."""
    return _offered(context, PROJECTS, incomplete)


def nodes(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Names of nodes."""
    return _offered(context, NODES, incomplete)


def _offered(context: click.Context, query: str, incomplete: str) -> Items:
    """Nothing for a server, whose token the shell should not use, and nothing where there is no database yet."""
    from dashboard.cli.words import visible

    if context.params.get("server"):
        return []
    beginning = incomplete.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    with contextlib.suppress(_Nothing):
        rows = [(str(word), visible(" ".join(filter(None, told)))) for word, *told in _rows(query, beginning)]
        return [CompletionItem(word, help=told) for word, told in rows if word.isprintable()]
    return []


class _Nothing(Exception):
    """There is nothing to offer."""


def _rows(query: str, beginning: str) -> list[Any]:
    from dashboard import config

    try:
        database = config.load().database
    except config.ConfigInvalid as error:
        raise _Nothing from error
    if database.startswith(SQLITE):
        return _from_sqlite(database.removeprefix(SQLITE), query, beginning)
    return _from_postgresql(database, query, beginning) if database.startswith(POSTGRESQL) else []


def _from_sqlite(path: str, query: str, beginning: str) -> list[Any]:
    from urllib.parse import quote

    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", SECONDS, uri=True)) as connection:
            return connection.execute(_asked(query, "?"), [beginning]).fetchall()
    except sqlite3.Error as error:
        raise _Nothing from error


def _from_postgresql(address: str, query: str, beginning: str) -> list[Any]:
    import psycopg

    options = f"-c statement_timeout={SECONDS * 1000}"
    try:
        with psycopg.connect(address, connect_timeout=SECONDS, options=options) as connection:
            return connection.execute(_asked(query, "%s").encode(), [beginning]).fetchall()
    except psycopg.Error as error:
        raise _Nothing from error


def _asked(query: str, place: str) -> str:
    return query.format(f"{place} ESCAPE '\\'")
