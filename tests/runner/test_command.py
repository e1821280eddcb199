"""What becomes of a command: its result, its output, its environment."""

import json
import os
import sys
from pathlib import Path

import psutil
import pytest

from tests.runner.support import Owner, Run, python
from workers.runner import environment
from workers.runner.executors import registry, validate


def test_a_command_that_ends_with_zero_passes(owner: Owner) -> None:
    result = owner.passes("echo hello; echo there >&2")
    assert owner.run.log(1).read_text() == "hello\nthere\n"
    assert (result["exit_code"], result["bytes"], result["lines"], result["findings"]) == (0, 12, 2, "")


def test_a_failing_command_tells_its_exit_code_and_the_end_of_its_output(owner: Owner) -> None:
    result = owner.result(owner.execute("printf '\\033[31mred\\033[0m\\n'; exit 3"))
    assert (result["outcome"], result["reason"], result["exit_code"]) == ("failed", "command_failed", 3)
    assert result["message"] == "The command ended with exit code 3."
    assert result["findings"] == "The command ended with exit code 3.\n\nred"


def test_a_command_killed_by_a_signal_is_told_by_name(owner: Owner) -> None:
    result = owner.result(owner.execute("kill -SEGV $$"))
    assert (result["reason"], result["exit_code"]) == ("command_failed", -11)
    assert "SIGSEGV" in result["message"]


def test_a_command_that_does_not_exist_is_told_as_such(owner: Owner) -> None:
    result = owner.result(owner.execute("no-such-command-anywhere"))
    assert (result["outcome"], result["reason"]) == ("failed", "command_not_found")


def test_a_command_longer_than_the_system_allows_is_a_bad_parameter(owner: Owner) -> None:
    result = owner.result(owner.execute("true " + "x" * 3_000_000))
    assert (result["outcome"], result["reason"]) == ("failed", "bad_params")


def test_the_time_limit_ends_a_command_and_is_named(owner: Owner) -> None:
    result = owner.result(owner.execute("echo begun; sleep 100", timeout=0.3, grace=1))
    assert (result["outcome"], result["reason"]) == ("failed", "time_limit")
    assert "0.3 s" in result["findings"]
    assert "begun" in result["findings"]


def test_a_missing_workspace_is_told_as_such(owner: Owner) -> None:
    result = owner.result(owner.execute("true", cwd="/nonexistent/place"))
    assert (result["outcome"], result["reason"]) == ("failed", "workspace_missing")
    assert "/nonexistent/place" in result["message"]


def test_a_workspace_deleted_under_a_running_command_is_told_as_such(owner: Owner) -> None:
    result = owner.result(owner.execute('rm -rf "$PWD"'))
    assert (result["outcome"], result["reason"]) == ("failed", "workspace_missing")


@pytest.mark.parametrize(
    ("executor", "params"),
    [
        ("nonsense", {}),
        ("command", {}),
        ("command", {"run": ""}),
        ("command", {"run": "a\0b"}),
        ("command", {"run": "\ud800"}),
        ("command", {"run": "true", "extra": 1}),
        ("command", {"run": ["true"]}),
    ],
)
def test_bad_parameters_fail_with_the_field_named(owner: Owner, executor: str, params: dict[str, object]) -> None:
    assert validate(executor, params)
    result = owner.result(owner.execute("", executor=executor, params=params))
    assert (result["outcome"], result["reason"]) == ("failed", "bad_params")
    assert result["message"].split(":")[0] in ("executor", "run", "extra")


def test_the_registry_knows_the_command_executor() -> None:
    assert registry()["command"].can_freeze
    assert validate("command", {"run": "true"}) == []


def test_a_hundred_megabytes_without_a_newline_cost_no_memory(owner: Owner) -> None:
    before = psutil.Process(owner.run.pid).memory_info().rss
    result = owner.passes("head -c 100000000 /dev/zero | tr '\\0' x")
    assert (result["bytes"], result["lines"]) == (100_000_000, 1)
    assert owner.run.log(1).stat().st_size == 100_000_000
    assert psutil.Process(owner.run.pid).memory_info().rss - before < 8_000_000


def test_binary_output_is_kept_as_it_is(owner: Owner) -> None:
    request = owner.execute(python("import sys; sys.stdout.buffer.write(bytes(range(256)) * 100); sys.exit(1)"))
    last = owner.until("output")["last"]
    assert last.isprintable()
    assert len(last) <= 200
    result = owner.result(request)
    assert owner.run.log(1).read_bytes() == bytes(range(256)) * 100
    assert len(result["findings"].encode()) <= 8192


def test_findings_hold_the_end_of_a_long_output(owner: Owner) -> None:
    result = owner.result(owner.execute("seq 100000; exit 1"))
    assert result["findings"].startswith("The command ended with exit code 1.")
    assert result["findings"].endswith("99999\n100000")
    assert 7000 < len(result["findings"].encode()) <= 8192


def test_the_journal_says_how_far_the_output_is_but_not_too_often(owner: Owner) -> None:
    request = owner.execute("for i in $(seq 60); do echo line $i; sleep 0.01; done")
    entries = []
    while (entry := owner.connection.receive())["kind"] != "finished":
        entries.append(entry)
    assert entry["request"] == request
    told = [entry for entry in entries if entry["kind"] == "output"]
    assert 2 <= len(told) <= 8
    assert (told[-1]["lines"], told[-1]["last"]) == (60, "line 60")
    assert told[-1]["bytes"] == owner.run.log(1).stat().st_size == entry["result"]["bytes"]
    assert [e["kind"] for e in entries if e["kind"] != "output"] == ["ready", "attached", "started"]


def test_output_reaches_the_log_while_the_command_runs(owner: Owner) -> None:
    request = owner.execute("echo first; while [ ! -e go ]; do sleep 0.01; done")
    assert owner.until("output")["last"] == "first"
    assert owner.run.log(1).read_text() == "first\n"
    (owner.run.workspace / "go").touch()
    owner.result(request)


def test_review_appends_to_the_log_and_has_its_own_reason(owner: Owner) -> None:
    owner.passes("printf unfinished")
    result = owner.result(owner.work("review", 1, command="echo no good; exit 127"))
    assert (result["outcome"], result["reason"], result["exit_code"]) == ("failed", "review_failed", 127)
    assert owner.run.log(1).read_text() == "unfinished\n── review ──\nno good\n"
    assert (result["bytes"], result["lines"]) == (owner.run.log(1).stat().st_size, 3)
    assert "unfinished" not in result["findings"]
    assert owner.result(owner.work("review", 2, command="true"))["outcome"] == "passed"


def test_findings_of_an_earlier_attempt_are_in_a_file(owner: Owner) -> None:
    owner.passes('[ "$(cat "$SPECYARD_FINDINGS_FILE")" = "do it better" ]', findings="do it better")
    owner.passes('[ -z "$SPECYARD_FINDINGS_FILE" ]', attempt=2)


def test_the_environment_is_built_from_nothing(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = "import json, os; json.dump(dict(os.environ), open('env.json', 'w'))"
    owner.passes(python(dump), env={"SPECYARD_WORKER": "12", "HOME": "/elsewhere"})
    env = json.loads((owner.run.workspace / "env.json").read_text())
    assert env["SPECYARD_RUN"] == f"12-1@{owner.run.directory}"
    assert (env["SPECYARD_WORKER"], env["HOME"], env["LC_ALL"]) == ("12", "/elsewhere", "C.UTF-8")
    assert env["PWD"] == str(owner.run.workspace)
    assert "PYTHONPATH" not in env
    assert set(env) <= {
        *("HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "PATH", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_"),
        *("SPECYARD_RUN", "SPECYARD_WORKER", "LC_ALL", "LC_CTYPE"),
        *(name for name in os.environ if name.startswith("LC_")),
    }


def test_our_own_virtual_environment_is_not_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = str(Path(sys.prefix, "bin"))
    monkeypatch.setattr(sys, "base_prefix", "/somewhere/else")
    assert environment.user_path(f"{ours}:/usr/bin:{ours}/:/bin") == "/usr/bin:/bin"
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    assert environment.user_path(f"{ours}:/usr/bin") == f"{ours}:/usr/bin"


def test_temporary_files_go_with_the_request(owner: Owner) -> None:
    owner.passes('mkdir -p "$TMPDIR/a/b" && touch "$TMPDIR/a/b/c" && chmod 500 "$TMPDIR/a/b" && echo "$TMPDIR" > where')
    where = Path((owner.run.workspace / "where").read_text().strip())
    assert where.is_absolute()
    assert not where.exists()


def test_standard_input_is_empty(owner: Owner) -> None:
    owner.passes('[ -z "$(cat)" ]')


def test_signals_are_as_in_a_login(owner: Owner) -> None:
    """An ignored SIGPIPE or SIGINT would be ignored in every command. Signals from 32 on are the C library's own."""
    owner.passes("grep -E 'Sig(Blk|Ign)' /proc/self/status > signals")
    masks = (owner.run.workspace / "signals").read_text().split()[1::2]
    assert [int(mask, 16) & 0x7FFFFFFF for mask in masks] == [0, 0]


def test_a_log_that_cannot_be_opened_fails_the_request_with_a_sentence(owner: Owner, run: Run) -> None:
    result = owner.result(owner.execute("true", log="/proc/no/such.log"))
    assert (result["outcome"], result["reason"]) == ("failed", "internal_error")
    assert result["message"]
