"""The command line `specyard`. Each command is a module of its own, imported when it is called."""

import importlib
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

COMMANDS = {
    "up": "dashboard.cli.up",
    "workers": "dashboard.cli.workers",
    "queue": "dashboard.cli.queue",
    "nodes": "dashboard.cli.nodes",
    "import": "dashboard.cli.imports",
    "demo": "dashboard.cli.demo",
    "node": "dashboard.cli.node",
    "web": "dashboard.cli.web",
    "sign-in": "dashboard.cli.sign_in",
    "secrets": "dashboard.cli.secrets",
    "config": "dashboard.cli.configuration",
    "completion": "dashboard.cli.completion",
}
FAILED, INTERRUPTED = 1, 130  # as exits.py, which is imported when something has to be said


class LazyGroup(click.Group):
    """A group whose commands are looked up in COMMANDS; each module offers its command as `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command

    def main(self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **more: Any) -> Any:  # type: ignore[override]
        """As click does it, but problems are JSON too for whoever asks for that, and interruptions have their code."""
        words = list(sys.argv[1:] if args is None else args)
        _let_everything_be_written()
        try:
            code = super().main(words, standalone_mode=False, **more)
        except click.ClickException as error:
            if not standalone_mode:
                raise
            _tell(error, as_json="--json" in words)
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            click.echo("\nInterrupted.", err=True)
            sys.exit(INTERRUPTED)
        except OSError as error:  # a full disk; of a reader who has gone, click has taken care
            _tell(_refused(error), as_json="--json" in words)
            sys.exit(FAILED)
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


def _let_everything_be_written() -> None:
    """What the encoding of the terminal lacks is written out; what goes to a closed descriptor, nobody reads."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  until the process ends
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _refused(error: OSError) -> click.ClickException:
    from dashboard.cli.refusal import Refused

    reason = error.strerror or str(error)
    return Refused(f"{error.filename}: {reason}." if error.filename else f"{reason}.")


def _tell(error: click.ClickException, *, as_json: bool) -> None:
    if not as_json:
        error.show()
        return
    usage = {"type": "urn:specyard:problem:usage", "title": "Wrong usage", "detail": error.format_message()}
    click.echo(json.dumps(getattr(error, "problem", usage), indent=2), err=True)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="specyard", prog_name="specyard")
def main() -> None:
    """A control room for specs that run in parallel.

    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 not found, 4 not possible
    now, 5 not allowed, 6 server not reachable, 130 interrupted.
    Settings come from specyard.toml, variables and flags: see `specyard config show`.
    """
