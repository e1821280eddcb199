"""Worktrees made ahead: how they are made, kept up to date, removed, and taken over by whoever begins to work."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.runner.support import Launcher, Owner, Run, wait_until
from tests.support.repository import commit, git, slow_checkout
from tests.support.repository import repository as made_repository

SETUP = "date +%s%N >> stamps.txt; echo set up at $SPECYARD_WORKSPACE"


@pytest.fixture
def repository(directory: Path) -> Path:
    return made_repository(directory / "repository")


class Yard:
    """A directory of workspaces, and the requests of one owner."""

    def __init__(self, owner: Owner, repository: Path, directory: Path) -> None:
        self.owner, self.repository, self.directory = owner, repository, directory
        self.attempts = 0

    def place(self, name: str) -> Path:
        return self.directory / "workspaces" / name

    def record(self, name: str, state: str) -> Path:
        return self.directory / "ahead" / f"key-{name}.{state}"

    def request(self, **more: Any) -> str:
        self.attempts += 1
        return self.owner.work("prepare", self.attempts, **more)

    def ask_ahead(self, name: str = "one", task: str = "make") -> str:
        """Ask for one to be made, brought up to date or removed; the request's id."""
        wanted = {
            "repository": str(self.repository),
            "target": str(self.place(name)),
            "record": str(self.directory / "ahead" / f"key-{name}"),
            "base": "main",
            "task": task,
        }
        return self.request(ahead=wanted)

    def ahead(self, name: str = "one", task: str = "make") -> dict[str, Any]:
        """The same, with its result."""
        return self.owner.result(self.ask_ahead(name, task))

    def worker(self, number: int = 1, command: str = "", key: str = "key-") -> dict[str, Any]:
        """Have a worker's workspace made."""
        wanted = {
            "repository": str(self.repository),
            "target": str(self.place(str(number))),
            "branch": f"spec/job-{number}",
            "base": "main",
            "ahead": str(self.directory / "ahead" / key),
        }
        result = self.owner.result(self.request(worktree=wanted, command=command, env={"SPECYARD_WORKSPACE": "/x"}))
        assert (result["outcome"], result["message"]) == ("passed", "")
        facts: dict[str, Any] = result["facts"]
        return facts

    def log(self) -> str:
        """Of the last request."""
        return self.owner.run.log(self.attempts).read_text()

    @property
    def records(self) -> list[str]:
        place = self.directory / "ahead"
        return sorted(path.name for path in place.iterdir()) if place.is_dir() else []


@pytest.fixture
def yard(owner: Owner, repository: Path, directory: Path) -> Yard:
    return Yard(owner, repository, directory)


def passed(result: dict[str, Any]) -> dict[str, Any]:
    assert (result["outcome"], result["message"]) == ("passed", "")
    facts: dict[str, Any] = result["facts"]
    return facts


def test_one_is_made_on_no_branch(yard: Yard) -> None:
    head = git(yard.repository, "rev-parse", "HEAD")
    assert passed(yard.ahead()) == {"ready": True}
    assert git(yard.place("one"), "rev-parse", "HEAD") == head
    assert git(yard.place("one"), "branch", "--show-current") == ""
    assert yard.records == ["key-one.ready"]
    assert git(yard.repository, "branch", "--format=%(refname:short)").splitlines()[-1] == "main"


def test_a_worker_takes_it_over_where_it_is(yard: Yard) -> None:
    yard.ahead()
    facts = yard.worker()
    assert (facts["directory"], facts["branch"], facts["ready"]) == (str(yard.place("one")), "spec/job-1", True)
    assert facts["base"] == git(yard.place("one"), "rev-parse", "spec/job-1")
    assert git(yard.place("one"), "branch", "--show-current") == "spec/job-1"
    assert yard.log() == "── made ahead ──\n"
    assert yard.records == []
    assert not yard.place("1").exists()


def test_it_is_set_up_by_who_takes_it_over(yard: Yard) -> None:
    yard.ahead()
    facts = yard.worker(command=SETUP)
    assert (facts["directory"], facts["ready"]) == (str(yard.place("one")), False)
    assert len((yard.place("one") / "stamps.txt").read_text().splitlines()) == 1
    assert yard.log() == f"── made ahead ──\n── setup ──\nset up at {yard.place('one')}\n"


def test_a_hook_that_fails_does_not_stand_in_the_way(yard: Yard) -> None:
    hook = yard.repository / ".git" / "hooks" / "post-checkout"
    hook.write_text("#!/bin/sh\nexit 2\n")
    hook.chmod(0o755)
    passed(yard.ahead())
    assert yard.worker()["directory"] == str(yard.place("one"))


@pytest.mark.parametrize("moves", [False, True])
def test_what_the_setup_left_belongs_to_no_commit(yard: Yard, moves: bool) -> None:
    yard.ahead()
    if moves:
        commit(yard.repository, b="two\n")
    place = Path(yard.worker(command="echo changed >> a.txt; echo left > left.txt")["directory"])
    assert place == yard.place("one")
    request = yard.owner.work(
        "checkpoint", 50, cwd=str(place), message="Chunk 1", env={"GIT_CONFIG_GLOBAL": os.devnull}
    )
    assert yard.owner.result(request)["facts"]["changed"] is True
    assert git(place, "show", "--name-only", "--format=", "HEAD") == "a.txt"  # and not what lay there untracked


def test_what_a_worker_without_a_setup_leaves_is_committed(yard: Yard) -> None:
    yard.ahead()
    place = Path(yard.worker()["directory"])
    (place / "new.txt").touch()
    request = yard.owner.work(
        "checkpoint", 50, cwd=str(place), message="Chunk 1", env={"GIT_CONFIG_GLOBAL": os.devnull}
    )
    assert yard.owner.result(request)["facts"]["changed"] is True
    assert git(place, "show", "--name-only", "--format=", "HEAD") == "new.txt"


def test_each_is_taken_once_the_oldest_first(yard: Yard) -> None:
    for age, name in ((100, "one"), (200, "two")):
        yard.ahead(name)
        os.utime(yard.record(name, "ready"), (0, age))
    places = [Path(yard.worker(number)["directory"]).name for number in (1, 2, 3)]
    assert places == ["one", "two", "3"]


def test_one_of_another_kind_is_left_alone(yard: Yard) -> None:
    yard.ahead()
    assert yard.worker(key="other-")["directory"] == str(yard.place("1"))
    assert yard.records == ["key-one.ready"]


def test_a_base_that_moved_since_is_checked_out(yard: Yard) -> None:
    yard.ahead()
    newer = commit(yard.repository, a="two\n")
    facts = yard.worker()
    assert (facts["directory"], facts["base"], facts["ready"]) == (str(yard.place("one")), newer, False)
    assert (yard.place("one") / "a.txt").read_text() == "two\n"


def test_it_is_brought_up_to_date_when_the_base_has_moved(yard: Yard) -> None:
    yard.ahead()
    assert passed(yard.ahead(task="renew")) == {"ready": True}
    newer = commit(yard.repository, a="two\n")
    passed(yard.ahead(task="renew"))
    assert git(yard.place("one"), "rev-parse", "HEAD") == newer
    assert yard.worker()["ready"] is True


def test_an_origin_is_not_asked_again_by_who_takes_over(yard: Yard, directory: Path) -> None:
    clone = directory / "clone"
    git(directory, "clone", "--quiet", str(yard.repository), str(clone))
    origin, yard.repository = yard.repository, clone
    first = commit(origin, a="two\n")
    passed(yard.ahead())
    assert git(yard.place("one"), "rev-parse", "HEAD") == first
    second = commit(origin, a="three\n")  # within the minute for which the answer counts
    assert yard.worker(1)["base"] == first
    assert yard.worker(2)["base"] == second  # who begins from nothing asks
    assert git(clone, "rev-parse", "origin/main") == second


def test_an_answer_of_long_ago_does_not_count(yard: Yard, directory: Path) -> None:
    clone = directory / "clone"
    git(directory, "clone", "--quiet", str(yard.repository), str(clone))
    origin, yard.repository = yard.repository, clone
    yard.ahead()
    stamps = clone / ".git" / "specyard.fetched"
    stamps.write_text(stamps.read_text().replace("[1", "[0"))
    newer = commit(origin, a="two\n")
    facts = yard.worker()
    assert (facts["base"], facts["ready"], facts["directory"]) == (newer, False, str(yard.place("one")))


def test_an_unreadable_answer_does_not_count(yard: Yard, directory: Path) -> None:
    clone = directory / "clone"
    git(directory, "clone", "--quiet", str(yard.repository), str(clone))
    yard.repository = clone
    yard.ahead()
    (clone / ".git" / "specyard.fetched").write_text('{"main": 7}')
    assert yard.worker()["ready"] is True


def test_an_origin_out_of_reach_holds_up_who_makes_it_and_nobody_else(yard: Yard, directory: Path) -> None:
    git(yard.repository, "remote", "add", "origin", str(directory / "gone"))
    yard.ahead()
    git(yard.repository, "remote", "set-url", "origin", "ext::sh -c 'sleep 60'")  # whoever asks now, waits
    git(yard.repository, "config", "protocol.ext.allow", "always")
    facts = yard.worker()
    assert facts["notes"][0].startswith("origin could not be fetched: ")
    assert facts["ready"] is True


def test_somebody_who_changed_it_keeps_it(yard: Yard) -> None:
    yard.ahead()
    kept = commit(yard.place("one"), b="by hand\n")
    assert yard.worker()["directory"] == str(yard.place("1"))
    assert git(yard.place("one"), "rev-parse", "HEAD") == kept
    assert yard.records == []


@pytest.mark.parametrize("task", ["renew", "remove"])
def test_one_that_somebody_changed_is_neither_updated_nor_removed(yard: Yard, task: str) -> None:
    yard.ahead()
    git(yard.place("one"), "checkout", "--quiet", "-b", "mine")
    commit(yard.repository, a="two\n")
    assert "was changed by somebody" in passed(yard.ahead(task=task))["gone"]
    assert git(yard.place("one"), "branch", "--show-current") == "mine"
    assert yard.records == []


@pytest.mark.parametrize("task", ["make", "renew", "remove"])
def test_one_that_was_taken_is_never_touched_again(yard: Yard, task: str) -> None:
    yard.ahead()
    place = Path(yard.worker()["directory"])
    (place / "b.txt").write_text("work\n")
    commit(yard.repository, a="two\n")
    assert passed(yard.ahead(task=task))["gone"].startswith(str(place))
    assert (place / "b.txt").read_text() == "work\n"
    assert git(place, "branch", "--show-current") == "spec/job-1"
    assert yard.records == []


def test_what_another_version_says_of_one_is_no_hindrance(yard: Yard) -> None:
    yard.ahead()
    record = yard.record("one", "ready")
    record.write_text(json.dumps({**json.loads(record.read_text()), "command": "make"}))
    assert yard.worker()["directory"] == str(yard.place("one"))
    assert yard.records == []


UNREADABLE = ["", "null", "[]", "{}", '{"directory": 1, "repository": 2}', "\x00"]


@pytest.mark.parametrize("content", UNREADABLE)
def test_one_whose_record_cannot_be_read_is_left_to_who_keeps_them(yard: Yard, content: str) -> None:
    yard.ahead()
    yard.record("one", "ready").write_text(content)
    assert yard.worker()["directory"] == str(yard.place("1"))
    assert yard.records == ["key-one.ready"]
    passed(yard.ahead(task="remove"))
    assert not yard.place("one").exists()
    assert yard.records == []


@pytest.mark.parametrize("how", ["branch", "commit"])
def test_one_whose_record_cannot_be_read_and_that_somebody_changed_is_kept(yard: Yard, how: str) -> None:
    yard.ahead()
    yard.record("one", "ready").write_text("")
    if how == "branch":
        git(yard.place("one"), "checkout", "--quiet", "-b", "mine")
    else:
        commit(yard.place("one"), b="by hand\n")
    assert "was changed by somebody" in passed(yard.ahead(task="remove"))["gone"]
    assert yard.place("one").is_dir()


def test_one_that_is_removed_leaves_nothing(yard: Yard) -> None:
    yard.ahead()
    assert passed(yard.ahead(task="remove")) == {"ready": True}
    assert list((yard.directory / "workspaces").iterdir()) == []
    assert yard.records == []
    assert len(git(yard.repository, "worktree", "list").splitlines()) == 1


def test_one_whose_repository_or_directory_is_gone_can_be_removed(yard: Yard) -> None:
    yard.ahead("one")
    yard.record("one", "ready").rename(yard.record("one", "making"))  # never finished
    yard.ahead("two")
    subprocess.run(["rm", "-rf", str(yard.place("two"))], check=True)
    passed(yard.ahead("two", task="remove"))
    subprocess.run(["rm", "-rf", str(yard.repository)], check=True)
    passed(yard.ahead("one", task="remove"))
    assert yard.records == []


def test_one_of_another_clone_at_the_same_place_is_not_taken(yard: Yard, directory: Path) -> None:
    yard.ahead()
    subprocess.run(["rm", "-rf", str(yard.repository)], check=True)
    made_repository(yard.repository)
    assert yard.worker()["directory"] == str(yard.place("1"))


def test_the_next_try_of_a_worker_clears_away_what_it_had_taken(yard: Yard) -> None:
    yard.ahead()
    first = Path(yard.worker(1)["directory"])
    again = yard.worker(1)
    assert (again["directory"], again["branch"]) == (str(yard.place("1")), "spec/job-1")
    assert not first.exists()
    assert len(git(yard.repository, "worktree", "list").splitlines()) == 2


def test_a_taken_worktree_with_work_keeps_its_branch(yard: Yard) -> None:
    yard.ahead()
    kept = commit(Path(yard.worker(1)["directory"]), b="work\n")
    assert yard.worker(1)["branch"] == "spec/job-1-2"
    assert git(yard.repository, "rev-parse", "spec/job-1") == kept


class Slow:
    """A checkout in the place "one" that does not end before a gate opens."""

    def __init__(self, yard: Yard) -> None:
        self.gate, begun = yard.directory / "gate", yard.directory / "begun"
        slow_checkout(yard.repository, begun, self.gate, place="one")
        self.request = yard.ask_ahead()
        wait_until(begun.exists, "files are checked out")


def test_no_start_waits_for_one_that_is_being_made(yard: Yard, launcher: Launcher) -> None:
    other = Yard(launcher.start(worker=13).attach(), yard.repository, yard.directory)
    slow = Slow(other)
    assert yard.records == ["key-one.making"]
    assert yard.worker()["directory"] == str(yard.place("1"))
    slow.gate.touch()
    passed(other.owner.result(slow.request))
    assert yard.worker(2)["directory"] == str(yard.place("one"))


def test_a_runner_that_is_killed_in_the_middle_leaves_one_that_can_be_removed(
    yard: Yard, run: Run, launcher: Launcher
) -> None:
    slow = Slow(yard)
    os.kill(run.pid, signal.SIGKILL)
    run.destroy()
    slow.gate.touch()
    other = Yard(launcher.start(worker=13).attach(), yard.repository, yard.directory)
    assert other.worker()["directory"] == str(yard.place("1"))
    passed(other.ahead(task="remove"))
    assert yard.records == []
    assert not yard.place("one").exists()


def test_it_can_be_stopped_while_it_is_made(yard: Yard) -> None:
    slow = Slow(yard)
    yard.owner.say("interrupt", reason="drain")
    assert yard.owner.result(slow.request)["outcome"] == "interrupted"
    assert yard.records == ["key-one.making"]


def test_who_asks_the_origin_while_another_does_shares_its_answer(
    yard: Yard, launcher: Launcher, directory: Path
) -> None:
    origin, clone = yard.repository, directory / "clone"
    git(directory, "clone", "--quiet", str(origin), str(clone))
    asked = directory / "asked"
    script = directory / "upload-pack"
    script.write_text(f'#!/bin/sh\necho x >> {asked}\nsleep 0.3\nexec git-upload-pack "$@"\n')
    script.chmod(0o755)
    git(clone, "config", "remote.origin.uploadpack", str(script))
    owners = [launcher.start(worker=20 + number).attach() for number in range(4)]
    yards = [Yard(owner, clone, directory) for owner in owners]
    requests = [
        each.request(
            worktree={
                "repository": str(clone),
                "target": str(each.place(f"2{number}")),
                "branch": f"spec/job-2{number}",
                "base": "main",
            }
        )
        for number, each in enumerate(yards)
    ]
    for each, request in zip(yards, requests, strict=True):
        passed(each.owner.result(request))
    assert len(asked.read_text().splitlines()) <= 2
