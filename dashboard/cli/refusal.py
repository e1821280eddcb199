"""Why a command does not go on, in words for the person who called it."""

import click


class Refused(click.ClickException):
    """Something is wrong; the message says what and what to do. Exit code 1."""

    exit_code = 1

    def show(self, file: object = None) -> None:
        click.echo(f"\nspecyard: {self.message}", err=True)


class BadInput(Refused):
    """A setting or an argument is wrong. Exit code 2."""

    exit_code = 2
