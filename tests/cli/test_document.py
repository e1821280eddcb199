"""docs/cli.md and the help are those of the commands; examples are commands that exist."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from http import HTTPStatus

import click
import pytest

from dashboard.cli import document, exits
from dashboard.cli.document import commands
from tests.cli.support import Specyard

EVERY = [(" ".join(path), command, context) for path, command, context in commands()]
LEAVES = [(name, command) for name, command, _ in EVERY if not isinstance(command, click.Group)]


def test_the_page_is_that_of_the_commands() -> None:
    assert document.PAGE.read_text() == document.page(), "write it anew: python -P -m dashboard.cli.document"


def test_the_groups_have_their_commands() -> None:
    names = {name for name, _ in LEAVES}
    wanted = {f"workers {verb}" for verb in ("list", "show", "pause", "resume", "stop", "cleanup")}
    wanted |= {f"queue {verb}" for verb in ("list", "add", "remove", "move", "pause", "resume")}
    wanted |= {f"nodes {verb}" for verb in ("list", "drain", "resume")} | {"config init", "config show"}
    wanted |= {"up", "node", "web", "import", "demo", "sign-in", "completion"}
    assert wanted - names == set()


def examples(command: click.Command) -> Iterator[list[str]]:
    """The words behind `specyard` in every example of a command."""
    told = (command.help or "").partition("Example")[2]
    for line in re.findall(r"\bspecyard ([^|>)\n]*)", told):
        yield shlex.split(line)


@pytest.mark.parametrize(("name", "command", "context"), EVERY, ids=[name for name, _, _ in EVERY])
def test_every_command_has_examples_that_it_understands(
    name: str, command: click.Command, context: click.Context
) -> None:
    found = list(examples(command))
    assert found
    known = {one: (sub, ctx) for one, sub, ctx in EVERY}
    for words in found:
        called = next(one for one in (" ".join(words[:2]), words[0]) if one in known)
        sub, ctx = known[called]
        rest = words[len(called.split()) :]
        sub.make_parser(ctx).parse_args(list(rest))  # raises UsageError for an option that there is not


@pytest.mark.parametrize(("name", "command"), LEAVES, ids=[name for name, _ in LEAVES])
def test_every_option_says_what_it_is_for(name: str, command: click.Command) -> None:
    assert command.help
    assert [option.name for option in command.params if isinstance(option, click.Option) and not option.help] == []


WITHOUT_SETTINGS = {"config init", "completion", "secrets new-key"}


@pytest.mark.parametrize(("name", "command"), LEAVES, ids=[name for name, _ in LEAVES])
def test_settings_come_from_a_file_or_directory_that_is_named(name: str, command: click.Command) -> None:
    options = {word for option in command.params for word in option.opts}
    assert ({"--config", "--data-dir"} <= options) == (name not in WITHOUT_SETTINGS)


def test_no_token_is_an_argument() -> None:
    """Everybody on a machine sees those."""
    options = {word for _, command, _ in EVERY for option in command.params for word in option.opts}
    assert "--token-file" in options
    assert "--token" not in options


@pytest.mark.parametrize("status", [status for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST])
def test_every_refusal_has_an_exit_code_that_is_documented(status: HTTPStatus) -> None:
    assert exits.of_status(status) in set(exits.MEANINGS) - {exits.DONE, exits.INTERRUPTED}


def test_exit_codes_of_strange_statuses() -> None:
    assert exits.of_status(599) == exits.FAILED


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_read_its_completion(specyard: Specyard, shell: str) -> None:
    script = specyard.good("completion", shell).out
    assert "_SPECYARD_COMPLETE" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert specyard("completion", "tcsh").code == 2
