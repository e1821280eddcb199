"""Nothing that a run starts outlives what it was started for."""

import signal
import time

import psutil
import pytest

from tests.runner.support import STORM, Owner, Run, Token, kill, python, status_of, wait_until

IGNORES_TERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
ESCAPES = ["", "setsid", "env -i setsid", "env -i setsid -f"]


@pytest.mark.parametrize("escape", ESCAPES)
def test_what_a_command_leaves_running_is_ended_and_counted(owner: Owner, token: Token, escape: str) -> None:
    begun = time.monotonic()
    result = owner.passes(f"{token.sleeper(escape)} & while ! pgrep -f {token.text}; do :; done >/dev/null; echo done")
    assert token.processes() == []
    assert result["leftovers"] >= 1
    assert "left running" in owner.run.log(1).read_text()
    assert time.monotonic() - begun < 5


def test_a_leftover_that_holds_the_pipes_open_does_not_hang_the_request(owner: Owner, token: Token) -> None:
    result = owner.passes(f"{token.sleeper().replace('>/dev/null 2>&1', '')} & echo out")
    assert result["leftovers"] == 1
    assert token.processes() == []
    assert owner.run.log(1).read_text().startswith("out\n")


def test_a_leftover_that_goes_on_writing_does_not_hang_the_request(owner: Owner) -> None:
    result = owner.passes("yes & sleep 0.05; exit 0")
    assert result["leftovers"] == 1
    size = owner.run.log(1).stat().st_size
    assert size == result["bytes"]
    owner.passes("true", attempt=2)
    assert owner.run.log(1).stat().st_size == size


def test_interrupt_ends_the_whole_tree(owner: Owner, token: Token) -> None:
    command = "".join(f"{token.sleeper(escape)} & " for escape in ESCAPES)
    request = owner.execute(f"{command} wait")
    token.wait_for(len(ESCAPES))
    begun = time.monotonic()
    owner.say("interrupt", reason="stop")
    result = owner.result(request)
    assert (result["outcome"], result["reason"]) == ("interrupted", "interrupted")
    assert token.processes() == []
    assert psutil.Process(owner.run.pid).children(recursive=True) == []
    assert time.monotonic() - begun < 2


def test_a_command_has_its_grace_after_term(owner: Owner) -> None:
    request = owner.execute(
        "trap 'echo cleaning; sleep 0.2; echo clean; exit 7' TERM; echo up; while :; do sleep 0.01; done"
    )
    owner.until("output", last="up")
    owner.say("interrupt", reason="drain")
    result = owner.result(request)
    assert (result["outcome"], result["exit_code"]) == ("interrupted", 7)
    assert owner.run.log(1).read_text().endswith("cleaning\nclean\n")


def test_a_command_that_ignores_term_is_killed_after_its_grace(owner: Owner, token: Token) -> None:
    request = owner.execute(f"exec {python(IGNORES_TERM)} {token.text}", grace=0.5)
    owner.until("output", last="deaf")
    begun = time.monotonic()
    owner.say("interrupt", reason="stop")
    result = owner.result(request)
    assert (result["outcome"], result["exit_code"]) == ("interrupted", -signal.SIGKILL)
    assert 0.4 < time.monotonic() - begun < 2.5
    assert token.processes() == []


def test_the_time_limit_kills_what_ignores_term(owner: Owner, token: Token) -> None:
    result = owner.result(owner.execute(f"exec {python(IGNORES_TERM)} {token.text}", timeout=0.5, grace=0.3))
    assert (result["outcome"], result["reason"], result["exit_code"]) == ("failed", "time_limit", -signal.SIGKILL)
    assert token.processes() == []


@pytest.mark.parametrize("how", ["interrupt", "quit", "kill", "destroy"])
def test_a_tree_that_forks_all_the_time_is_ended(owner: Owner, how: str) -> None:
    owner.execute(f"{python(STORM)}; sleep 600", grace=0.1)
    storm = owner.run.workspace / "storm"
    wait_until(lambda: storm.exists() and storm.stat().st_size > 20, "the storm")
    if how == "kill":
        kill(owner.run.pid)
        wait_until(lambda: owner.run.destroy()["killed"] == [], "the end of it")
    elif how == "destroy":
        assert owner.run.destroy()["ok"]
    else:
        owner.say(how)
        assert owner.until("finished")["result"]["outcome"] == "interrupted"
    size = storm.stat().st_size
    time.sleep(0.1)
    assert storm.stat().st_size == size


def test_interrupting_nothing_does_nothing(owner: Owner) -> None:
    owner.say("interrupt", reason="stop")
    owner.passes("true")


def test_quit_interrupts_tells_and_removes_the_socket(owner: Owner, token: Token, run: Run) -> None:
    request = owner.execute(f"{token.sleeper('env -i setsid')} & wait")
    token.wait_for(1)
    owner.say("quit")
    assert owner.result(request)["outcome"] == "interrupted"
    owner.until("ended")
    assert owner.connection.closed()
    assert token.processes() == []
    assert run.id not in run.launcher.ask(op="ping")["runs"]
    assert not run.path.exists()
    assert not (run.directory / "runner.json").exists()


def test_term_ends_a_runner_like_quit(owner: Owner, token: Token, run: Run) -> None:
    owner.execute(f"{token.sleeper('setsid')} & wait")
    token.wait_for(1)
    psutil.Process(run.pid).terminate()
    owner.until("ended")
    assert token.processes() == []


def test_orphans_that_end_while_a_request_runs_are_reaped(owner: Owner) -> None:
    request = owner.execute("for i in 1 2 3 4 5; do (setsid -f true); done; while [ ! -e go ]; do sleep 0.02; done")
    runner = psutil.Process(owner.run.pid)
    owner.until("started")

    def zombies() -> list[psutil.Process]:
        return [child for child in runner.children() if status_of(child) == psutil.STATUS_ZOMBIE]

    wait_until(zombies, "an orphan")
    wait_until(lambda: not zombies(), "the reaping")
    (owner.run.workspace / "go").touch()
    assert owner.result(request)["outcome"] == "passed"


@pytest.mark.faults
@pytest.mark.parametrize("escape", ESCAPES)
def test_what_a_killed_runner_leaves_is_ended_at_once(owner: Owner, token: Token, run: Run, escape: str) -> None:
    owner.execute(f"{token.sleeper(escape)} & {token.sleeper()} & wait")
    token.wait_for(2)
    kill(run.pid)
    wait_until(lambda: not token.processes(), "the end of the strays", 3)


@pytest.mark.faults
def test_a_paused_tree_of_a_killed_runner_is_ended(owner: Owner, token: Token, run: Run) -> None:
    owner.execute(f"{token.sleeper('env -i setsid')} & wait")
    token.wait_for(1)
    owner.say("pause")
    owner.until("paused")
    kill(run.pid)
    wait_until(lambda: not token.processes(), "the end of the strays", 3)


def test_requests_leave_no_file_open(owner: Owner) -> None:
    def work(first: int) -> int:
        for attempt in range(first, first + 10):
            owner.passes("sleep 600 & echo x", attempt)
        owner.passes("true", first + 10)
        return psutil.Process(owner.run.pid).num_fds()

    assert work(100) == work(200)
