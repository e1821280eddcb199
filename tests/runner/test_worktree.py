"""A git worktree as a workspace: where it begins, what a checkpoint commits, what a restore puts back."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.runner.support import Owner, Run, wait_until
from tests.support.repository import commit, git
from tests.support.repository import repository as made_repository


@pytest.fixture
def repository(directory: Path) -> Path:
    return made_repository(directory / "repository")


def prepare(owner: Owner, repository: Path, target: Path, attempt: int = 0, **more: Any) -> dict[str, Any]:
    wanted = {"repository": str(repository), "target": str(target), "branch": "spec/job-1", "base": "main"}
    wanted |= {key: more.pop(key) for key in ("branch", "base") if key in more}
    return owner.result(owner.work("prepare", attempt, worktree=wanted, **more))


def made(owner: Owner, repository: Path, target: Path, **more: Any) -> dict[str, Any]:
    """The facts of a worktree that could be made."""
    result = prepare(owner, repository, target, **more)
    assert (result["outcome"], result["message"]) == ("passed", "")
    facts: dict[str, Any] = result["facts"]
    return facts


@pytest.fixture
def target(directory: Path) -> Path:
    return directory / "workspaces" / "1"


def test_a_worktree_has_a_branch_of_its_own(owner: Owner, repository: Path, target: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    facts = made(owner, repository, target)
    assert (facts["directory"], facts["branch"], facts["base"], facts["notes"]) == (str(target), "spec/job-1", head, [])
    assert facts["ready"] is False
    assert 0 <= facts["waited"] < 1
    assert git(target, "symbolic-ref", "--short", "HEAD") == "spec/job-1"
    assert (target / "a.txt").read_text() == "one\n"
    assert git(repository, "status", "--porcelain") == ""


def test_it_begins_with_what_its_origin_has_now(owner: Owner, repository: Path, target: Path, directory: Path) -> None:
    clone = directory / "clone"
    git(directory, "clone", "--quiet", str(repository), str(clone))
    newer = commit(repository, a="two\n")
    assert made(owner, clone, target)["base"] == newer
    assert git(clone, "rev-parse", "main") != newer  # the user's own branch is not touched


def test_commits_that_were_not_pushed_are_in_it(owner: Owner, repository: Path, target: Path, directory: Path) -> None:
    clone = directory / "clone"
    git(directory, "clone", "--quiet", str(repository), str(clone))
    ahead = commit(clone, b="mine\n")
    assert made(owner, clone, target)["base"] == ahead


def test_branches_that_went_apart_are_told_of(owner: Owner, repository: Path, target: Path, directory: Path) -> None:
    clone = directory / "clone"
    git(directory, "clone", "--quiet", str(repository), str(clone))
    mine = commit(clone, b="mine\n")
    commit(repository, b="theirs\n")
    facts = made(owner, clone, target)
    assert facts["base"] == mine
    assert facts["notes"] == ["main and origin/main have diverged. The worktree begins with the local main."]


def test_an_origin_out_of_reach_is_told_of(owner: Owner, repository: Path, target: Path, directory: Path) -> None:
    git(repository, "remote", "add", "origin", str(directory / "gone"))
    facts = made(owner, repository, target)
    assert facts["base"] == git(repository, "rev-parse", "HEAD")
    assert facts["notes"][0].startswith("origin could not be fetched: ")
    log = owner.run.log(0).read_text()
    assert facts["notes"][0] in log


def test_uncommitted_changes_stay_where_they_are(owner: Owner, repository: Path, target: Path) -> None:
    (repository / "a.txt").write_text("not yet\n")
    facts = made(owner, repository, target)
    assert facts["notes"] == ["The project's directory has uncommitted changes. They are not in the worktree."]
    assert (target / "a.txt").read_text() == "one\n"
    assert (repository / "a.txt").read_text() == "not yet\n"


def test_a_detached_head_and_a_missing_branch_are_told_of(owner: Owner, repository: Path, target: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "--quiet", "--detach")
    git(repository, "branch", "--quiet", "-D", "main")
    facts = made(owner, repository, target)
    assert facts["base"] == head
    assert facts["notes"] == [f"There is no branch main. The worktree begins with the detached commit {head[:10]}."]


def test_a_branch_that_exists_is_left_alone(owner: Owner, repository: Path, target: Path) -> None:
    git(repository, "branch", "spec/job-1")
    assert made(owner, repository, target)["branch"] == "spec/job-1-2"


def test_a_branch_called_like_the_first_part_is_no_obstacle(
    owner: Owner, repository: Path, target: Path, directory: Path
) -> None:
    git(repository, "branch", "spec")
    assert made(owner, repository, target)["branch"] == "specyard/job-1"
    again = directory / "workspaces" / "2"
    assert made(owner, repository, again, attempt=1)["branch"] == "specyard/job-1-2"
    for branch in ("specyard/job-1", "specyard/job-1-2"):
        git(repository, "worktree", "remove", "--force", str(target if branch.endswith("b-1") else again))
        git(repository, "branch", "-D", branch)
    git(repository, "branch", "specyard")
    assert made(owner, repository, target, attempt=2)["branch"] == "specyard-job-1"


def test_branches_below_the_name_are_no_obstacle(owner: Owner, repository: Path, target: Path) -> None:
    git(repository, "branch", "spec/job-1/theirs")
    assert made(owner, repository, target)["branch"] == "spec/job-1-2"


def test_a_project_in_a_part_of_a_repository_works_there(owner: Owner, repository: Path, target: Path) -> None:
    part = repository / "services" / "mail"
    part.mkdir(parents=True)
    commit(part, b="mail\n")
    assert made(owner, part, target)["directory"] == str(target / "services" / "mail")


def test_what_is_no_repository_is_copied_and_says_so(owner: Owner, directory: Path, target: Path) -> None:
    plain = directory / "plain"
    plain.mkdir()
    (plain / "a.txt").write_text("one\n")
    facts = made(owner, plain, target)
    assert (facts["directory"], facts["branch"]) == (str(target), "")
    assert facts["notes"] == [f"{plain} is in no git repository. The worker works in a copy."]
    assert (target / "a.txt").read_text() == "one\n"


def test_an_empty_repository_is_refused_with_what_to_do(owner: Owner, directory: Path, target: Path) -> None:
    empty = directory / "empty"
    empty.mkdir()
    git(empty, "init", "--quiet")
    result = prepare(owner, empty, target)
    assert (result["outcome"], result["reason"]) == ("failed", "git_failed")
    assert "has no commit yet" in result["message"]
    assert not target.exists()


def test_a_bare_repository_is_refused_with_what_to_do(owner: Owner, directory: Path, target: Path) -> None:
    git(directory, "init", "--quiet", "--bare", str(directory / "bare"))
    result = prepare(owner, directory / "bare", target)
    assert (result["outcome"], result["reason"]) == ("failed", "git_failed")
    assert "is a bare repository" in result["message"]


def test_a_restore_breaks_off_a_rebase(owner: Owner, worktree: Path) -> None:
    good = git(worktree, "rev-parse", "HEAD")
    commit(worktree, a="bad\n")
    git(worktree, "branch", "theirs", good)
    git(worktree, "checkout", "--quiet", "theirs")
    commit(worktree, a="theirs\n")
    git(worktree, "checkout", "--quiet", "spec/job-1")
    stopped = subprocess.run(["git", "rebase", "--quiet", "theirs"], cwd=worktree, capture_output=True, check=False)
    assert stopped.returncode
    message = {"cwd": str(worktree), "branch": "spec/job-1", "commit": good}
    assert owner.result(owner.work("restore", 2, **message))["outcome"] == "passed"
    assert git(worktree, "status", "--porcelain=v2", "--branch").splitlines()[:2] == [
        f"# branch.oid {good}",
        "# branch.head spec/job-1",
    ]
    assert "rebase" not in git(worktree, "status")


def test_a_repository_that_is_gone_is_refused(owner: Owner, directory: Path, target: Path) -> None:
    result = prepare(owner, directory / "gone", target)
    assert (result["outcome"], result["reason"]) == ("failed", "git_failed")
    assert "No such file or directory" in result["message"]


def test_the_next_try_clears_away_what_was_half_made(owner: Owner, repository: Path, target: Path) -> None:
    made(owner, repository, target)
    (target / "a.txt").unlink()
    facts = made(owner, repository, target, attempt=1)
    assert facts["branch"] == "spec/job-1"  # it led nowhere
    assert (target / "a.txt").exists()


def test_a_branch_with_work_is_never_cleared_away(owner: Owner, repository: Path, target: Path) -> None:
    made(owner, repository, target)
    kept = commit(target, b="work\n")
    assert made(owner, repository, target, attempt=1)["branch"] == "spec/job-1-2"
    assert git(repository, "rev-parse", "spec/job-1") == kept


def test_submodules_are_there_or_told_of(owner: Owner, repository: Path, target: Path, directory: Path) -> None:
    library = directory / "library"
    library.mkdir()
    git(library, "init", "--quiet", "--initial-branch", "main")
    commit(library, c="library\n")
    git(repository, "submodule", "--quiet", "add", str(library), "lib")
    commit(repository)
    facts = made(owner, repository, target)
    assert facts["notes"][0].startswith("Submodules are missing: ")  # git fetches none from a path, unless told to


# Checkpoint and restore


@pytest.fixture
def worktree(owner: Owner, repository: Path, target: Path) -> Path:
    made(owner, repository, target, command="mkdir cache && echo x > cache/x && echo y > 'odd [name]!'")
    return target


def checkpoint(owner: Owner, worktree: Path, attempt: int = 1, **more: str) -> dict[str, Any]:
    nobody = {"GIT_CONFIG_GLOBAL": os.devnull}
    message = {"cwd": str(worktree), "message": "Chunk 1: paint", "env": nobody, "branch": "spec/job-1"}
    result = owner.result(owner.work("checkpoint", attempt, **message, **more))
    assert result["outcome"] == "passed", result
    facts: dict[str, Any] = result["facts"]
    return facts


def test_a_checkpoint_commits_everything_but_what_the_setup_left(owner: Owner, worktree: Path) -> None:
    owner.passes("echo two > a.txt; mkdir new; echo b > new/b.txt", attempt=1, cwd=str(worktree))
    facts = checkpoint(owner, worktree)
    assert facts == {"commit": git(worktree, "rev-parse", "HEAD"), "changed": True}
    assert git(worktree, "show", "--name-only", "--format=%s %an", "HEAD").splitlines() == [
        "Chunk 1: paint Specyard",
        "",
        "a.txt",
        "new/b.txt",
    ]
    assert (worktree / "cache" / "x").exists()


def test_a_checkpoint_of_nothing_makes_no_commit(owner: Owner, worktree: Path) -> None:
    before = git(worktree, "rev-parse", "HEAD")
    assert checkpoint(owner, worktree) == {"commit": before, "changed": False}


def test_the_project_s_hooks_and_a_killed_git_do_not_stand_in_the_way(
    owner: Owner, worktree: Path, repository: Path
) -> None:
    for hook in ("pre-commit", "post-commit", "post-checkout"):
        path = repository / ".git" / "hooks" / hook
        path.write_text("#!/bin/sh\nexit 1\n")
        path.chmod(0o755)
    Path(git(worktree, "rev-parse", "--path-format=absolute", "--git-path", "index.lock")).touch()
    (worktree / "a.txt").write_text("two\n")
    facts = checkpoint(owner, worktree)
    assert facts["changed"] is True
    message = {"cwd": str(worktree), "branch": "spec/job-1", "commit": facts["commit"]}
    assert owner.result(owner.work("restore", 2, **message))["outcome"] == "passed"
    made(owner, repository, worktree.with_name("2"), attempt=3)


def on_its_branch(worktree: Path, before: str, facts: dict[str, Any]) -> list[str]:
    """The files that the branch got, by one commit, which is where HEAD stands."""
    assert git(worktree, "symbolic-ref", "--short", "HEAD") == "spec/job-1"
    assert git(worktree, "rev-parse", "spec/job-1") == facts["commit"]
    assert git(worktree, "rev-parse", "spec/job-1^") == before
    assert git(worktree, "status", "--porcelain", "--untracked-files=no") == ""
    return git(worktree, "diff", "--name-only", before, "HEAD").splitlines()


@pytest.mark.parametrize(
    ("moves", "found"),
    [
        (["checkout --quiet -b nice"], "on nice"),
        (["checkout --quiet --detach"], "on no branch"),
        (["branch -m renamed"], "on renamed"),
        (["checkout --quiet --detach", "branch -D spec/job-1"], "on no branch"),
    ],
)
def test_a_checkpoint_lands_on_the_worker_s_branch(owner: Owner, worktree: Path, moves: list[str], found: str) -> None:
    before = git(worktree, "rev-parse", "HEAD")
    for move in moves:
        git(worktree, *move.split())
    elsewhere = commit(worktree, b="committed elsewhere\n")
    (worktree / "c.txt").write_text("not committed\n")
    facts = checkpoint(owner, worktree, base=before)
    assert on_its_branch(worktree, before, facts) == ["b.txt", "c.txt"]
    assert git(worktree, "cat-file", "-t", elsewhere) == "commit"
    assert f"The worktree was {found}: put back onto spec/job-1" in owner.run.log(1).read_text()


def test_a_checkpoint_breaks_off_a_rebase_and_keeps_the_files(owner: Owner, worktree: Path) -> None:
    good = git(worktree, "rev-parse", "HEAD")
    mine = commit(worktree, a="mine\n")
    git(worktree, "branch", "theirs", good)
    git(worktree, "checkout", "--quiet", "theirs")
    commit(worktree, a="theirs\n")
    git(worktree, "checkout", "--quiet", "spec/job-1")
    stopped = subprocess.run(["git", "rebase", "--quiet", "theirs"], cwd=worktree, capture_output=True, check=False)
    assert stopped.returncode
    (worktree / "a.txt").write_text("both\n")
    facts = checkpoint(owner, worktree)
    assert on_its_branch(worktree, mine, facts) == ["a.txt"]
    assert (worktree / "a.txt").read_text() == "both\n"
    assert "rebase" not in git(worktree, "status")
    assert "in the middle of a rebase" in owner.run.log(1).read_text()


def test_commits_that_were_made_on_the_branch_stay(owner: Owner, worktree: Path) -> None:
    mine = commit(worktree, b="mine\n")
    (worktree / "c.txt").write_text("not committed\n")
    assert on_its_branch(worktree, mine, checkpoint(owner, worktree)) == ["c.txt"]


def test_a_restore_undoes_files_and_commits_and_keeps_what_git_ignores(owner: Owner, worktree: Path) -> None:
    good = git(worktree, "rev-parse", "HEAD")
    commit(worktree, a="bad\n", c="bad\n")
    git(worktree, "checkout", "--quiet", "-b", "elsewhere")
    (worktree / "d.txt").write_text("bad\n")
    message = {"cwd": str(worktree), "branch": "spec/job-1", "commit": good}
    assert owner.result(owner.work("restore", 2, **message))["outcome"] == "passed"
    assert git(worktree, "symbolic-ref", "--short", "HEAD") == "spec/job-1"
    assert git(worktree, "rev-parse", "HEAD") == good
    assert sorted(path.name for path in worktree.glob("*.txt")) == ["a.txt"]
    assert (worktree / "cache" / "x").exists()
    assert (worktree / "odd [name]!").exists()


def test_a_worktree_that_is_gone_is_a_failure_with_a_reason(owner: Owner, worktree: Path) -> None:
    (worktree / ".git").unlink()
    result = owner.result(owner.work("checkpoint", 1, cwd=str(worktree), message="Chunk 1"))
    assert (result["outcome"], result["reason"]) == ("failed", "git_failed")
    assert result["message"].startswith("The worktree could not be committed: not a git repository")


def test_one_at_a_time_touches_what_worktrees_share(owner: Owner, run: Run, repository: Path, target: Path) -> None:
    lock = repository / ".git" / "specyard.lock"
    with subprocess.Popen(["flock", str(lock), "cat"], stdin=subprocess.PIPE) as holder:
        wait_until(lambda: subprocess.run(["flock", "--nonblock", str(lock), "true"]).returncode, "the lock is held")
        wanted = {"repository": str(repository), "target": str(target), "branch": "spec/job-1", "base": "main"}
        request = owner.work("prepare", 0, worktree=wanted)
        owner.until("started")
        assert not target.exists()
        holder.communicate()
    assert owner.result(request)["outcome"] == "passed"


def test_a_wait_for_the_repository_can_be_stopped(owner: Owner, repository: Path, target: Path) -> None:
    lock = repository / ".git" / "specyard.lock"
    with subprocess.Popen(["flock", str(lock), "cat"], stdin=subprocess.PIPE) as holder:
        wait_until(lambda: subprocess.run(["flock", "--nonblock", str(lock), "true"]).returncode, "the lock is held")
        wanted = {"repository": str(repository), "target": str(target), "branch": "spec/job-1", "base": "main"}
        request = owner.work("prepare", 0, worktree=wanted)
        owner.until("started")
        owner.say("interrupt", reason="stop")
        assert owner.result(request)["outcome"] == "interrupted"
        holder.communicate()


# Repositories inside


def refused(owner: Owner, worktree: Path, attempt: int = 1, **more: str) -> str:
    """What the next attempt reads of a checkpoint that was refused."""
    message = {"cwd": str(worktree), "message": "Chunk 1", "branch": "spec/job-1", **more}
    result = owner.result(owner.work("checkpoint", attempt, **message))
    assert (result["outcome"], result["reason"]) == ("failed", "git_failed")
    assert git(worktree, "diff", "--cached", "--name-only") == ""
    findings: str = result["findings"]
    return findings


def test_a_repository_that_a_tool_made_is_refused_and_named(owner: Owner, worktree: Path) -> None:
    before = git(worktree, "rev-parse", "HEAD")
    made_repository(worktree / "app")
    assert "app is a git repository of its own" in refused(owner, worktree)
    assert git(worktree, "rev-parse", "HEAD") == before
    git(worktree, "add", "--all")
    commit(worktree)  # whoever commits it does not get around that
    assert "Remove its .git, or add it to .gitignore." in refused(owner, worktree, 2, base=before)
    message = {"cwd": str(worktree), "branch": "spec/job-1", "commit": before}
    assert owner.result(owner.work("restore", 3, **message))["outcome"] == "passed"
    made_repository(worktree / "app")
    shutil.rmtree(worktree / "app" / ".git")
    assert checkpoint(owner, worktree, 4, base=before)["changed"] is True
    assert git(worktree, "show", "HEAD:app/a.txt") == "one"


def test_a_repository_without_a_commit_is_named_too(owner: Owner, worktree: Path) -> None:
    (worktree / "lib").mkdir()
    git(worktree / "lib", "init", "--quiet")
    assert "lib is a git repository of its own" in refused(owner, worktree)
    (worktree / ".gitignore").write_text("lib/\n")
    assert checkpoint(owner, worktree, 2)["changed"] is True


FILES = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.file.allow", "GIT_CONFIG_VALUE_0": "always"}


@pytest.fixture
def library(directory: Path) -> Path:
    return made_repository(directory / "library")


@pytest.fixture
def with_submodule(owner: Owner, repository: Path, target: Path, library: Path) -> Path:
    """A worktree with the submodule lib, in which its setup has built something."""
    git(repository, "submodule", "--quiet", "add", str(library), "lib")
    commit(repository)
    assert made(owner, repository, target, env=FILES, command="echo built > lib/built")["notes"] == []
    return target


def test_what_is_not_committed_in_a_submodule_is_refused(owner: Owner, with_submodule: Path) -> None:
    good = git(with_submodule, "rev-parse", "HEAD")
    assert checkpoint(owner, with_submodule)["changed"] is False  # the setup may leave what it likes
    (with_submodule / "lib" / "a.txt").write_text("changed\n")
    assert "The submodule lib has changes that are not committed in it" in refused(owner, with_submodule, 2)
    message = {"cwd": str(with_submodule), "branch": "spec/job-1", "commit": good}
    assert owner.result(owner.work("restore", 3, **message))["outcome"] == "passed"
    assert (with_submodule / "lib" / "a.txt").read_text() == "one\n"
    assert (with_submodule / "lib" / "built").exists()


def test_a_submodule_s_commit_must_be_on_a_remote(owner: Owner, with_submodule: Path, library: Path) -> None:
    good = git(with_submodule, "rev-parse", "HEAD")
    lib = with_submodule / "lib"
    commit(lib, a="only here\n")
    assert "The submodule lib is at a commit that no remote has" in refused(owner, with_submodule, base=good)
    message = {"cwd": str(with_submodule), "branch": "spec/job-1", "commit": good}
    assert owner.result(owner.work("restore", 2, **message))["outcome"] == "passed"
    assert (lib / "a.txt").read_text() == "one\n"
    newer = commit(library, a="two\n")
    git(lib, "fetch", "--quiet")
    git(lib, "checkout", "--quiet", newer)
    assert checkpoint(owner, with_submodule, 3, base=good)["changed"] is True


def test_a_new_untracked_file_in_a_clean_submodule_is_refused_and_removed(
    owner: Owner, repository: Path, target: Path, library: Path
) -> None:
    git(repository, "submodule", "--quiet", "add", str(library), "lib")
    good = commit(repository)
    made(owner, repository, target, env=FILES)
    (target / "lib" / "new.txt").write_text("new\n")
    assert "The submodule lib" in refused(owner, target)
    message = {"cwd": str(target), "branch": "spec/job-1", "commit": good}
    assert owner.result(owner.work("restore", 2, **message))["outcome"] == "passed"
    assert not (target / "lib" / "new.txt").exists()
