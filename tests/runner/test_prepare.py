"""Preparing a workspace: the copy, then the setup command."""

import os
import time
from pathlib import Path

import pytest

from tests.runner.support import Owner, wait_until


@pytest.fixture
def source(directory: Path) -> Path:
    source = directory / "project"
    (source / ".git").mkdir(parents=True)
    (source / ".git" / "HEAD").write_text("ref")
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o750)
    (source / "link").symlink_to("run.sh")
    (source / 'it\'s a "name" $HOME').write_text("x")
    os.utime(source / "run.sh", (1_000_000_000, 1_000_000_000))
    return source


def prepare(owner: Owner, source: Path, target: Path, command: str = "") -> str:
    pair = {"source": str(source), "target": str(target)}
    return owner.work("prepare", 0, copy=pair, command=command, cwd=str(target))


def test_everything_is_copied_as_it_is(owner: Owner, source: Path, directory: Path) -> None:
    target = directory / "deep" / "copy"
    result = owner.result(prepare(owner, source, target, "cat .git/HEAD"))
    assert (result["outcome"], result["message"]) == ("passed", "")
    assert sorted(os.listdir(target)) == sorted(os.listdir(source))
    assert (target / "link").is_symlink()
    found = (target / "run.sh").stat()
    assert (found.st_mode & 0o777, found.st_mtime) == (0o750, 1_000_000_000)
    assert owner.run.log(0).read_text() == "── setup ──\nref"
    assert not target.with_name("copy.part").exists()


def test_a_target_that_is_there_counts_as_done(owner: Owner, source: Path, directory: Path) -> None:
    target = directory / "copy"
    target.mkdir()
    assert owner.result(prepare(owner, source, target))["outcome"] == "passed"
    assert os.listdir(target) == []


def test_half_a_copy_is_begun_again(owner: Owner, source: Path, directory: Path) -> None:
    target = directory / "copy"
    part = directory / "copy.part"
    part.mkdir()
    (part / "old").touch()
    assert owner.result(prepare(owner, source, target))["outcome"] == "passed"
    assert not (target / "old").exists()
    assert (target / "run.sh").exists()


@pytest.mark.parametrize("place", ["missing", "project/run.sh"])
def test_a_source_that_is_no_directory_is_told(owner: Owner, source: Path, directory: Path, place: str) -> None:
    result = owner.result(prepare(owner, directory / place, directory / "copy", "touch wrong"))
    assert (result["outcome"], result["reason"]) == ("failed", "copy_failed")
    assert place in result["message"]


def test_a_copy_into_itself_is_refused(owner: Owner, source: Path) -> None:
    result = owner.result(prepare(owner, source, source / "inside" / "copy"))
    assert (result["outcome"], result["reason"]) == ("failed", "copy_failed")
    assert not (source / "inside").exists()


def test_a_target_that_cannot_be_written_is_told(owner: Owner, source: Path) -> None:
    result = owner.result(prepare(owner, source, Path("/proc/nowhere/copy")))
    assert (result["outcome"], result["reason"]) == ("failed", "copy_failed")


def test_a_setup_command_that_fails_is_told(owner: Owner) -> None:
    result = owner.result(owner.work("prepare", 0, copy=None, command="echo no; exit 4"))
    assert (result["outcome"], result["reason"], result["exit_code"]) == ("failed", "setup_failed", 4)
    assert result["findings"].endswith("no")


def test_nothing_to_prepare_passes(owner: Owner) -> None:
    assert owner.result(owner.work("prepare", 0))["outcome"] == "passed"


def test_a_copy_can_be_paused_and_interrupted(owner: Owner, source: Path, directory: Path) -> None:
    for number in range(6_000):
        (source / str(number)).touch()
    target, part = directory / "copy", directory / "copy.part"
    request = prepare(owner, source, target, "touch wrong")
    wait_until(lambda: part.is_dir() and len(os.listdir(part)) > 10, "some of the copy")
    owner.say("pause")
    owner.until("paused")
    so_far = len(os.listdir(part))
    time.sleep(0.2)
    assert len(os.listdir(part)) == so_far < 6_000
    owner.say("interrupt")
    assert owner.result(request)["outcome"] == "interrupted"
    assert not target.exists()
