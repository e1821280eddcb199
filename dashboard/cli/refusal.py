"""Why a command does not go on: in words for people, as a problem detail (RFC 9457) for programs."""

from typing import Any

import click

TYPE = "urn:specyard:problem:"
SURELY_TEXT = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


class Refused(click.ClickException):
    """Something is wrong; the message says what and what to do. Exit code 1."""

    exit_code = 1
    kind = "refused"

    def show(self, file: object = None) -> None:
        click.echo(f"\nspecyard: {self.message.translate(SURELY_TEXT)}", err=True)

    @property
    def problem(self) -> dict[str, Any]:
        """The same for programs."""
        return {"type": TYPE + self.kind, "title": self.kind.replace("-", " ").capitalize(), "detail": self.message}


class BadInput(Refused):
    """A setting or an argument is wrong. Exit code 2."""

    exit_code = 2
    kind = "bad-input"


class NotFound(Refused):
    """What was named does not exist. Exit code 3."""

    exit_code = 3
    kind = "not-found"


class NotNow(Refused):
    """It is not possible in the state that things are in. Exit code 4."""

    exit_code = 4
    kind = "conflict"


class Unreachable(Refused):
    """Nobody answers, or it takes too long. Exit code 6."""

    exit_code = 6
    kind = "unreachable"
