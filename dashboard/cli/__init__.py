"""The command line `specyard`. Each command is a module of its own, imported when it is called."""

import importlib

import click

COMMANDS = {
    "up": "dashboard.cli.up",
    "node": "dashboard.cli.node",
    "web": "dashboard.cli.web",
    "import": "dashboard.cli.imports",
    "demo": "dashboard.cli.demo",
    "sign-in": "dashboard.cli.sign_in",
    "secrets": "dashboard.cli.secrets",
    "config": "dashboard.cli.configuration",
}


class LazyGroup(click.Group):
    """A group whose commands are looked up in COMMANDS; each module offers its command as `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="specyard", prog_name="specyard")
def main() -> None:
    """A control room for specs that run in parallel.

    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage or input.
    Settings come from specyard.toml, variables and flags: see `specyard config show`.
    """
