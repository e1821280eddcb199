"""A worker's branch is shown, merged or removed: whole or not at all, and never what somebody else holds."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.repository import commit, git, repository
from workers import branches
from workers.branches import CannotLand
from workers.git import GitFailed

BRANCH = "spec/job-1"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


@pytest.fixture
def workspace(source: Path, tmp_path: Path) -> Path:
    git(source, "worktree", "add", "--quiet", "-b", BRANCH, str(tmp_path / "workspace"))
    return tmp_path / "workspace"


def merge(source: Path) -> branches.Merged:
    return branches.merge(source, BRANCH, "main", "Merge the work of worker 1")


def test_a_base_that_stood_still_moves_forward_with_its_files(source: Path, workspace: Path) -> None:
    tip = commit(workspace, a="two\n")
    assert merge(source) == branches.Merged(tip, fast_forward=True)
    assert git(source, "rev-parse", "main") == tip
    assert (source / "a.txt").read_text() == "two\n"
    assert git(source, "status", "--porcelain") == ""


def test_a_base_that_moved_gets_a_merge_commit(source: Path, workspace: Path) -> None:
    tip = commit(workspace, b="work\n")
    old = commit(source, c="meanwhile\n")
    merged = merge(source)
    assert not merged.fast_forward
    assert git(source, "rev-parse", "main", "main^1", "main^2").splitlines() == [merged.commit, old, tip]
    assert sorted(path.name for path in source.glob("*.txt")) == ["a.txt", "b.txt", "c.txt"]
    assert git(source, "log", "-1", "--format=%s") == "Merge the work of worker 1"


def test_merging_twice_changes_nothing(source: Path, workspace: Path) -> None:
    commit(workspace, b="work\n")
    assert merge(source) == merge(source)


def test_a_base_that_nobody_has_checked_out_moves_alone(source: Path, workspace: Path) -> None:
    git(source, "checkout", "--quiet", "-b", "mine")
    tip = commit(workspace, a="two\n")
    assert merge(source).commit == tip == git(source, "rev-parse", "main")
    assert (source / "a.txt").read_text() == "one\n"


def state(source: Path) -> tuple[str, str, str]:
    return git(source, "rev-parse", "main"), git(source, "status", "--porcelain"), (source / "a.txt").read_text()


def test_a_conflict_names_the_files_and_changes_nothing(source: Path, workspace: Path) -> None:
    commit(workspace, a="two\n")
    commit(source, a="three\n")
    before = state(source)
    with pytest.raises(CannotLand, match=r"^The branch conflicts with its base in 1 file\.$") as refused:
        merge(source)
    assert refused.value.conflicts == [("a.txt", "both changed the same lines")]
    assert state(source) == before
    assert not (source / ".git" / "MERGE_HEAD").exists()


def test_every_sort_of_conflict_is_told_by_file(source: Path, workspace: Path) -> None:
    commit(source, gone="1\n", moved="2\n" * 9)
    git(workspace, "merge", "--quiet", "main")
    for place, text in ((source, "theirs"), (workspace, "ours")):
        (place / "odd ü\t.bin").write_bytes(b"\0" + text.encode())
        (place / "new.txt").write_text(text)
        git(place, "add", "--all")
    git(source, "mv", "moved.txt", "renamed.txt")
    git(source, "rm", "--quiet", "gone.txt")
    git(workspace, "rm", "--quiet", "moved.txt")
    commit(source, a="theirs\n")
    commit(workspace, gone="more\n")
    with pytest.raises(CannotLand, match="in 4 files") as refused:
        merge(source)
    assert sorted(refused.value.conflicts) == [
        ("gone.txt", "one changed it, the other deleted it"),
        ("new.txt", "both added it"),
        (r"odd ü\t.bin", "both changed it, and it is binary"),
        ("renamed.txt", "one renamed it, the other deleted it"),
    ]


def test_names_that_are_no_text_are_told_of_conflicts_and_losses(source: Path, workspace: Path) -> None:
    odd = os.fsdecode(b"caf\xe9\n.txt")
    for place, text in ((source, "theirs"), (workspace, "ours")):
        (place / odd).write_text(text)
        git(place, "add", "--all")
        commit(place)
    with pytest.raises(CannotLand) as refused:
        merge(source)
    assert refused.value.conflicts == [(r"caf\351\n.txt", "both added it")]
    repository(workspace / os.fsdecode(b"app\xe9"))
    (workspace / os.fsdecode(b"b\xe9")).write_text("not committed\n")
    git(workspace, "-c", "i18n.commitEncoding=none", "commit", "--quiet", "--allow-empty", "-F", str(words(workspace)))
    lost = branches.loss(source, workspace, BRANCH)
    assert [line.partition(" ")[2] for line in lost.commits] == ["caf� \\d", "work"]
    assert sorted(lost.files) == [r"app\351/", r"b\351"]
    assert lost.repositories == [r"app\351: 1 commit on no remote"]
    str(lost).encode()


def words(workspace: Path) -> Path:
    """A commit's message in an encoding that nobody knows."""
    path = workspace.with_name("message")
    path.write_bytes(b"caf\xe9 \\d\n")
    return path


def test_a_renamed_file_that_is_not_committed_is_told_by_its_names(source: Path, workspace: Path) -> None:
    git(workspace, "mv", "a.txt", "renamed.txt")
    assert sorted(branches.loss(source, workspace, BRANCH).files) == ["a.txt", "renamed.txt"]


def test_a_workspace_whose_name_ends_in_a_space_is_discarded(source: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace "
    git(source, "worktree", "add", "--quiet", "-b", BRANCH, str(workspace))
    branches.discard(source, workspace, BRANCH)
    assert not workspace.exists()


def test_uncommitted_changes_in_the_project_are_not_touched(source: Path, workspace: Path) -> None:
    commit(workspace, a="two\n")
    (source / "a.txt").write_text("mine\n")
    before = state(source)
    with pytest.raises(CannotLand, match="uncommitted changes"):
        merge(source)
    assert state(source) == before


def test_a_file_in_the_way_is_not_overwritten(source: Path, workspace: Path) -> None:
    commit(workspace, b="work\n")
    (source / "b.txt").write_text("mine\n")
    before = state(source)
    with pytest.raises(GitFailed, match="would be overwritten"):
        merge(source)
    assert state(source) == before
    assert (source / "b.txt").read_text() == "mine\n"


def test_a_removal_can_say_what_would_be_lost(source: Path, workspace: Path) -> None:
    commit(workspace, b="work\n")
    (workspace / "c.txt").write_text("not committed\n")
    lost = branches.loss(source, workspace, BRANCH)
    assert [line.partition(" ")[2] for line in lost.commits] == ["work"]
    assert lost.files == ["c.txt"]
    git(source, "branch", "kept", BRANCH)
    assert branches.loss(source, workspace, BRANCH).commits == []


def test_what_only_repositories_inside_hold_would_be_lost(source: Path, workspace: Path, tmp_path: Path) -> None:
    library = repository(tmp_path / "library")
    for name in ("clone", "changed", "ahead"):
        git(workspace, "clone", "--quiet", str(library), f"deep/{name}")
    (workspace / "deep" / "changed" / "a.txt").write_text("not committed\n")
    commit(workspace / "deep" / "ahead", a="not pushed\n")
    repository(workspace / "app")
    git(workspace, "init", "--quiet", "empty")
    (workspace / ".gitignore").write_text("*/\n")
    assert sorted(branches.loss(source, workspace, BRANCH).repositories) == [
        "app: 1 commit on no remote",
        "deep/ahead: 1 commit on no remote",
        "deep/changed: 1 uncommitted file",
    ]


def test_what_a_submodule_holds_would_be_lost(source: Path, workspace: Path, tmp_path: Path) -> None:
    git(workspace, "submodule", "--quiet", "add", str(repository(tmp_path / "library")), "lib")
    commit(workspace)
    assert branches.loss(source, workspace, BRANCH).repositories == []
    commit(workspace / "lib", a="not pushed\n")
    (workspace / "lib" / "b.txt").write_text("not committed\n")
    assert branches.loss(source, workspace, BRANCH).repositories == ["lib: 1 uncommitted file, 1 commit on no remote"]


def test_a_discarded_branch_leaves_nothing_but_what_others_hold(source: Path, workspace: Path) -> None:
    commit(workspace, b="work\n")
    (workspace / "c.txt").write_text("not committed\n")
    branches.discard(source, workspace, BRANCH)
    assert not workspace.exists()
    assert git(source, "branch", "--list") == "* main"
    assert len(git(source, "worktree", "list").splitlines()) == 1
    branches.discard(source, workspace, BRANCH)  # once more is nothing


@pytest.mark.parametrize("place", ["gone", "plain"])
def test_a_repository_that_is_none_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(GitFailed):
        branches.merge(tmp_path / place, BRANCH, "main", "Merge")


def test_a_repository_that_is_busy_is_waited_for(
    source: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(workspace, a="two\n")
    lock = source / ".git" / "specyard.lock"
    monkeypatch.setattr(branches, "LOCK_SECONDS", 0.1)
    with subprocess.Popen(["flock", str(lock), "sh", "-c", "echo held; cat"], stdin=-1, stdout=-1) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(CannotLand, match="busy"):
            merge(source)
        holder.communicate()
    merge(source)
