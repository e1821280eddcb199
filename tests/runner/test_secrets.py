"""Secrets reach what a run starts, by the environment, and nothing that is stored about it."""

from pathlib import Path
from typing import Any

import pytest

from tests.runner.support import Launcher, Owner, python, wait_until
from tests.support.repository import git, repository
from workers.runner.masking import MASK

SECRET = "s3cr3t/Value+0123456789="
# An executor of somebody else, which tells all that it knows.
TELLING = """
import asyncio
from pydantic import BaseModel, TypeAdapter
from workers.runner import executors
from workers.runner.executors.base import Executor, Outcome, Result


class Teller(Executor):
    name = "teller"
    Params = type("Params", (BaseModel,), {})

    async def execute(self, context, params):
        secret = context.request.secrets["API_KEY"]
        if context.attempt == 2:
            raise RuntimeError(f"it was {secret}")
        if context.attempt == 3:
            TypeAdapter(list[int]).validate_python("x" * 15 + secret + "x" * 100)
        context.desk.journal("usage", text=[{secret: f"is {secret}"}])
        context.desk.write(f"it is {secret}".encode())
        return Result(Outcome.FAILED, "told", f"it is {secret}", findings=secret, facts={"it": [secret]})


executors.BUILT_IN = (*executors.BUILT_IN, Teller)
"""
GIVEN: dict[str, Any] = {"secrets": {"API_KEY": SECRET}}
PRINT = "import os, sys; s = os.environ['API_KEY']; "


def stored(owner: Owner) -> bytes:
    """Everything in the directories of the launcher, its runs and their logs."""
    paths = owner.run.launcher.directory.rglob("*")
    return b"".join(path.read_bytes() for path in paths if path.is_file() and not path.is_symlink())


def prints(code: str) -> str:
    return python(PRINT + code)


SPLIT = {
    "at once": "print('before', s, 'after')",
    "byte by byte": "print('before ', end='', flush=True); [print(c, end='', flush=True) for c in s]; print(' after')",
    "slowly": "import time; print('before', s[:9], end='', flush=True); time.sleep(0.4); print(s[9:], 'after')",
    "on standard error": "print('before', s, 'after', file=sys.stderr)",
    "on both": "os.write(1, b'before ' + s[:5].encode()); os.write(2, s[5:].encode() + b' after\\n')",
    "at the end of a block": "os.write(1, b'x' * (262144 - 12) + b'\\nbefore ' + s.encode() + b' after\\n')",
    "around a full pipe": "os.write(1, (b'y' * 65530 + b'\\n') + b'before ' + s.encode() + b' after\\n')",
}


@pytest.mark.parametrize("code", SPLIT.values(), ids=SPLIT)
def test_a_value_is_hidden_however_a_command_prints_it(owner: Owner, code: str) -> None:
    result = owner.passes(prints(code), **GIVEN)
    assert owner.run.log(1).read_text().endswith(f"before {MASK} after\n")
    assert result["bytes"] == owner.run.log(1).stat().st_size
    assert SECRET.encode() not in stored(owner)


def test_what_a_command_leaves_unfinished_is_told_at_its_end(owner: Owner) -> None:
    owner.passes(prints("print(s[:10], end='')"), **GIVEN)
    assert owner.run.log(1).read_text() == SECRET[:10]


def test_last_lines_messages_and_findings_hide_values(owner: Owner) -> None:
    request = owner.execute(prints("print('key', s); sys.exit(3)"), **GIVEN)
    told = owner.until("output")
    result = owner.result(request)
    assert told["last"] == f"key {MASK}"
    assert result["findings"] == f"The command ended with exit code 3.\n\nkey {MASK}"
    assert SECRET.encode() not in stored(owner)


def test_a_message_that_names_a_value_hides_it(owner: Owner) -> None:
    result = owner.result(owner.execute("true", cwd=f"/nowhere/{SECRET}", **GIVEN))
    assert MASK in result["message"]
    assert SECRET.encode() not in stored(owner)


@pytest.mark.parametrize("op", ["prepare", "review"])
def test_setup_and_review_commands_have_secrets_too(owner: Owner, op: str) -> None:
    request = owner.work(op, 1, command='test -n "$API_KEY" && echo "have $API_KEY"', **GIVEN)
    assert owner.result(request)["outcome"] == "passed"
    assert f"have {MASK}\n" in owner.run.log(1).read_text()
    assert SECRET.encode() not in stored(owner)


def test_what_executors_of_others_tell_is_hidden_too(directory: Path) -> None:
    launcher = Launcher(directory, setup=TELLING)
    try:
        owner = launcher.start().attach()
        request = owner.work("execute", 1, executor="teller", params={}, **GIVEN)
        assert owner.until("usage")["text"] == [{MASK: f"is {MASK}"}]
        result = owner.result(request)
        assert (result["message"], result["findings"], result["facts"]) == (f"it is {MASK}", MASK, {"it": [MASK]})
        broken = owner.result(owner.work("execute", 2, executor="teller", params={}, **GIVEN))
        assert broken["message"] == f"Internal error: RuntimeError: it was {MASK}"
        assert f"RuntimeError: it was {MASK}" in (owner.run.directory / "runner.log").read_text()
        owner.result(owner.work("execute", 3, executor="teller", params={}, **GIVEN))
        assert SECRET[:6].encode() not in stored(owner)
        assert SECRET.encode() not in stored(owner)
    finally:
        launcher.end()


def test_where_a_workspace_is_stays_true_whatever_is_secret(owner: Owner, tmp_path: Path) -> None:
    """A user's name or a common word may be a secret, and stand in a path or in the name of a branch."""
    source = repository(tmp_path / "project")
    target = owner.run.launcher.directory / "spaces" / "deploy-12"
    secrets = {"USER_NAME": "deploy", "WORD": "directory"}
    wanted = {"repository": str(source), "target": str(target), "branch": "deploy/12", "base": "main"}
    made = owner.result(owner.work("prepare", 1, worktree=wanted, secrets=secrets))
    assert (made["facts"]["directory"], made["facts"]["branch"]) == (str(target), "deploy/12")
    (target / "a").write_text("changed")
    fields = {"branch": "deploy/12", "base": made["facts"]["base"], "cwd": str(target), "secrets": secrets}
    kept = owner.result(owner.work("checkpoint", 2, message="Deploy", **fields))
    assert kept["facts"]["commit"] == git(target, "rev-parse", "HEAD")


def test_a_secret_wins_over_a_variable_and_is_no_argument(owner: Owner) -> None:
    show = "tr '\\0' '\\n' </proc/$$/cmdline; printenv API_KEY | wc -c"
    owner.passes(show, env={"API_KEY": "plain"}, **GIVEN)
    log = owner.run.log(1).read_text()
    assert log.endswith(f"{len(SECRET) + 1}\n")
    assert MASK not in log


def test_more_than_a_process_can_be_given_is_said(owner: Owner) -> None:
    secrets = {f"S{number}": f"{number:04d}{'x' * 19_000}" for number in range(600)}
    result = owner.result(owner.execute("true", secrets=secrets))
    assert (result["outcome"], result["reason"]) == ("failed", "bad_params")
    assert "longer than the system allows" in result["message"]


def test_a_value_stays_hidden_for_the_rest_of_the_run(owner: Owner, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    owner.passes(f'printenv API_KEY >"{kept}"', **GIVEN)
    owner.passes(f'cat "{kept}"', 2, secrets={"API_KEY": "another-value"})
    assert owner.run.log(2).read_text() == f"{MASK}\n"
    kept.unlink()


def test_git_and_what_it_starts_do_not_get_them(owner: Owner, tmp_path: Path) -> None:
    source, told = repository(tmp_path / "project"), tmp_path / "told"
    (source / ".gitattributes").write_text("a.txt filter=spy\n")
    git(source, "config", "filter.spy.clean", f"env >'{told}'; cat")
    (source / "a.txt").write_text("two\n")
    kept = owner.result(owner.work("checkpoint", 1, message="Two", cwd=str(source), **GIVEN))
    assert kept["facts"]["changed"]
    assert "SPECYARD_RUN" in told.read_text()
    assert "API_KEY" not in told.read_text()


def test_later_requests_without_secrets_do_not_get_them(owner: Owner) -> None:
    owner.passes("true", **GIVEN)
    owner.passes('echo "${API_KEY:-none}"', 2)
    assert owner.run.log(2).read_text() == "none\n"


def test_nothing_is_held_back_while_a_run_is_watched(owner: Owner) -> None:
    request = owner.execute(f"echo begun; {prints('print(s)')}; sleep 600", **GIVEN)
    wait_until(lambda: owner.run.log(1).exists() and owner.run.log(1).read_text() == f"begun\n{MASK}\n")
    owner.say("interrupt")
    assert owner.result(request)["outcome"] == "interrupted"
