"""A paused run does nothing at all, and goes on where it was."""

import time
from pathlib import Path

import psutil
import pytest

from tests.runner.support import STORM, VFORK, Owner, Token, python, status_of, wait_until
from workers.runner import journal
from workers.runner.journal import read

# Writes its count to a file named by its argument, over and over, and stays out of its parent's group or session.
WRITER = """
import os, sys
if sys.argv[2] == 'group': os.setpgid(0, 0)
if sys.argv[2] == 'session' and os.fork() == 0: os.setsid()
n = 0
with open(sys.argv[1], 'w', buffering=1) as file:
    while True:
        n += 1
        file.write(f'{n}\\n')
"""


# A parent in vfork is in an uninterruptible wait for its stopped child.
STILL = {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DISK_SLEEP}


def writers(owner: Owner, count: int = 4) -> tuple[str, list[Path]]:
    """A command of several writers in several groups and sessions, and the files that they write."""
    files = [owner.run.workspace / f"out-{i}" for i in range(count)]
    kinds = ["plain", "group", "session", "group"]
    parts = [f"{python(WRITER)} {file} {kinds[i % 4]} &" for i, file in enumerate(files)]
    parts.append(f"env -i setsid -f {python(WRITER)} {files[0]}.escaped plain;")
    return " ".join(parts) + " while :; do echo tick; sleep 0.001; done", [*files, Path(f"{files[0]}.escaped")]


def sizes(owner: Owner, files: list[Path]) -> list[int]:
    return [file.stat().st_size if file.exists() else 0 for file in [*files, owner.run.log(1)]]


def grow(owner: Owner, files: list[Path]) -> None:
    before = sizes(owner, files)
    wait_until(lambda: all(now > then for now, then in zip(sizes(owner, files), before, strict=True)), "writing")


def test_a_paused_tree_writes_nothing_until_it_is_resumed(owner: Owner) -> None:
    command, files = writers(owner)
    request = owner.execute(command)
    grow(owner, files)
    for _ in range(3):
        begun = time.monotonic()
        owner.say("pause")
        owner.until("paused")
        assert time.monotonic() - begun < 2
        before = sizes(owner, files)
        time.sleep(0.3)
        assert sizes(owner, files) == before
        owner.say("resume")
        owner.until("resumed")
        grow(owner, files)
    owner.say("interrupt")
    assert owner.result(request)["outcome"] == "interrupted"


def test_every_process_is_really_stopped_when_paused_is_told(owner: Owner) -> None:
    """Also those of a tree that forks quickly while it is being frozen."""
    owner.execute("for i in 1 2 3 4; do (while :; do /bin/true; (/bin/true); done) & done; wait")
    runner = psutil.Process(owner.run.pid)
    wait_until(lambda: len(runner.children(recursive=True)) > 4, "the tree")
    for _ in range(10):
        owner.say("pause")
        owner.until("paused")
        tree = runner.children(recursive=True)
        assert len(tree) >= 5
        assert {process.status() for process in tree} <= STILL
        owner.say("resume")
        owner.until("resumed")


def test_a_tree_that_forks_all_the_time_is_frozen(owner: Owner) -> None:
    owner.execute(f"{python(STORM)}; sleep 600")
    storm = owner.run.workspace / "storm"
    wait_until(lambda: storm.exists() and storm.stat().st_size > 20, "the storm")
    for _ in range(5):
        begun = time.monotonic()
        owner.say("pause")
        owner.until("paused")
        assert time.monotonic() - begun < 2
        size = storm.stat().st_size
        time.sleep(0.1)
        assert storm.stat().st_size == size
        owner.say("resume")
        owner.until("resumed")
        wait_until(lambda size=size: storm.stat().st_size > size + 10, "the storm")


def test_a_process_that_waits_for_its_vforked_child_does_not_hold_a_pause_up(owner: Owner) -> None:
    """A parent in vfork cannot be stopped before its child goes on; it runs nothing meanwhile."""
    owner.execute(python(VFORK))
    owner.until("output", last="up")
    runner = psutil.Process(owner.run.pid)
    wait_until(lambda: len(runner.children(recursive=True)) >= 2, "the vforked child")
    begun = time.monotonic()
    owner.say("pause")
    owner.until("paused")
    assert time.monotonic() - begun < 2


def test_pauses_do_not_count_for_the_time_limit(owner: Owner) -> None:
    request = owner.execute("sleep 0.3", timeout=0.8)
    owner.until("started")
    owner.say("pause")
    owner.until("paused")
    time.sleep(1)
    owner.say("resume")
    assert owner.result(request)["outcome"] == "passed"


def test_the_time_limit_still_holds_after_a_pause(owner: Owner) -> None:
    request = owner.execute("sleep 60", timeout=0.4)
    owner.until("started")
    owner.say("pause")
    owner.until("paused")
    time.sleep(0.5)
    owner.say("resume")
    owner.until("resumed")
    begun = time.monotonic()
    assert owner.result(request)["reason"] == "time_limit"
    assert time.monotonic() - begun < 1


def test_a_request_that_arrives_while_paused_waits(owner: Owner) -> None:
    owner.say("pause")
    owner.until("paused")
    request = owner.execute("touch begun", timeout=0.5)
    owner.connection.socket.settimeout(0.7)
    with pytest.raises(TimeoutError):
        owner.until("started")
    assert not (owner.run.workspace / "begun").exists()
    again = owner.run.attach()
    again.say("resume")
    assert again.result(request)["outcome"] == "passed"


def test_a_command_that_ends_by_itself_while_paused_is_told_after_the_resume(owner: Owner, token: Token) -> None:
    request = owner.execute(f"exec {token.sleeper()}")
    (process,) = token.wait_for(1)
    owner.say("pause")
    owner.until("paused")
    process.kill()
    owner.connection.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        owner.until("finished")
    again = owner.run.attach()
    again.say("resume")
    again.until("resumed")
    assert again.result(request)["exit_code"] == -9


def test_a_paused_tree_can_be_interrupted_and_hears_term(owner: Owner, token: Token) -> None:
    script = (
        f"trap 'touch heard; exit 0' TERM; {token.sleeper('env -i setsid')} & echo up; while :; do sleep 0.01; done"
    )
    request = owner.execute(script)
    token.wait_for(1)
    owner.until("output", last="up")
    owner.say("pause")
    owner.until("paused")
    begun = time.monotonic()
    owner.say("interrupt")
    assert owner.result(request)["outcome"] == "interrupted"
    assert time.monotonic() - begun < 2
    assert token.processes() == []
    assert (owner.run.workspace / "heard").exists()


def test_what_is_just_being_frozen_can_be_interrupted(owner: Owner) -> None:
    """The freeze takes a moment, because of the vfork, and may not stop again what shall act on TERM."""
    script = f"{python(VFORK)} & trap 'sleep 0.3; touch heard; exit 0' TERM; while :; do sleep 0.01; done"
    request = owner.execute(script)
    owner.until("output", last="up")
    runner = psutil.Process(owner.run.pid)
    wait_until(lambda: len(runner.children(recursive=True)) >= 3, "the vforked child")
    begun = time.monotonic()
    owner.say("pause")
    wait_until(
        lambda: psutil.STATUS_STOPPED in {status_of(p) for p in runner.children(recursive=True)},
        "the beginning of the freeze",
    )
    owner.say("interrupt")
    assert owner.result(request)["outcome"] == "interrupted"
    assert time.monotonic() - begun < 2
    assert (owner.run.workspace / "heard").exists()
    path = owner.run.directory / "journal.ndjson"  # the pause may have been told before the interruption
    wait_until(lambda: "paused" in [entry["kind"] for entry in journal.read(path)], "the pause")


def test_an_interrupted_run_stays_paused_until_it_is_resumed(owner: Owner) -> None:
    owner.say("pause")
    first = owner.execute("true")
    owner.say("interrupt")
    assert owner.result(first)["outcome"] == "interrupted"
    second = owner.execute("touch begun", attempt=2)
    owner.connection.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        owner.result(second)
    assert not (owner.run.workspace / "begun").exists()


def test_quit_works_while_paused(owner: Owner, token: Token) -> None:
    owner.execute(f"{token.sleeper('setsid')} & wait")
    token.wait_for(1)
    owner.say("pause")
    owner.until("paused")
    owner.say("quit")
    owner.until("ended")
    assert token.processes() == []


def test_repeated_wishes_are_told_once(owner: Owner) -> None:
    for op in ("resume", "pause", "pause", "resume", "resume", "pause", "resume"):
        owner.say(op)
    owner.passes("true")
    owner.say("quit")
    owner.until("ended")
    kinds = [entry["kind"] for entry in read(owner.run.directory / "journal.ndjson")]
    assert kinds.count("resumed") == 2


def test_what_had_stopped_itself_stays_stopped_after_a_resume(owner: Owner, token: Token) -> None:
    request = owner.execute(f"{token.sleeper()} & wait")
    (process,) = token.wait_for(1)
    process.suspend()
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "the stop")
    owner.say("pause")
    owner.until("paused")
    owner.say("resume")
    owner.until("resumed")
    assert process.status() == psutil.STATUS_STOPPED
    owner.say("interrupt")
    assert owner.result(request)["outcome"] == "interrupted"
