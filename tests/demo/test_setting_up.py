"""The demo is made once, whole, and without touching what is there."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from dashboard import demo
from specs.models import Project, Spec
from workers.models import latest_seq

pytestmark = pytest.mark.django_db


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file below the folder with what it holds and when it was written."""
    return {
        str(path.relative_to(folder)): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def git(place: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=place, check=True, capture_output=True, text=True).stdout.strip()


def test_three_repositories_with_two_specs_each(tmp_path):
    made = demo.set_up(tmp_path / "demo")

    assert made.is_new
    assert sorted(Project.objects.values_list("name", flat=True)) == ["acme-api", "docs-site", "storefront"]
    for project in Project.objects.all():
        assert project.specs.count() == 2
        assert git(Path(project.directory), "status", "--porcelain") == ""
        assert int(git(Path(project.directory), "rev-list", "--count", "HEAD")) > 1
    for spec in Spec.objects.all():
        assert 3 <= spec.chunks.count() <= 6
        assert spec.source_path.startswith(".specyard/"), "imported like any other"


def test_done_twice_it_changes_nothing(tmp_path):
    first = demo.set_up(tmp_path / "demo")
    files, seq = fingerprint(tmp_path), latest_seq()

    second = demo.set_up(tmp_path / "demo")

    assert not second.is_new
    assert second.specs == first.specs
    assert fingerprint(tmp_path) == files
    assert latest_seq() == seq


def test_what_somebody_changed_stays(tmp_path):
    demo.set_up(tmp_path / "demo")
    changed = tmp_path / "demo" / "storefront" / "README.md"
    changed.write_text("mine now")
    Spec.objects.filter(key="checkout").update(title="My own title")

    assert not demo.set_up(tmp_path / "demo").is_new
    assert changed.read_text() == "mine now"
    assert Spec.objects.get(key="checkout").title == "My own title"


def test_what_was_removed_comes_back(tmp_path):
    demo.set_up(tmp_path / "demo")
    Project.objects.get(name="docs-site").remove()

    assert demo.set_up(tmp_path / "demo").is_new
    assert Spec.objects.count() == 6


def test_a_new_demo_tells_open_pages(tmp_path):
    before = latest_seq()
    demo.set_up(tmp_path / "demo")
    assert latest_seq() > before


def test_no_configuration_of_git_is_needed_or_heeded(tmp_path, monkeypatch):
    hostile = tmp_path / "gitconfig"
    hostile.write_text("[user]\n\tuseConfigOnly = true\n[commit]\n\tgpgsign = true\n[core]\n\thooksPath = /nowhere\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(hostile))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "not-here"))
    monkeypatch.setenv("HOME", str(tmp_path / "no-home"))

    assert demo.set_up(tmp_path / "demo").is_new


@pytest.mark.parametrize("missing", ["git", "python3"])
def test_a_program_that_is_missing_is_named(tmp_path, monkeypatch, missing):
    from workers.runner import environment

    programs = tmp_path / "bin"
    programs.mkdir()
    for name in {"git", "python3", "tar"} - {missing}:
        (programs / name).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(programs))
    environment.base.cache_clear()
    try:
        with pytest.raises(demo.DemoRefused, match=missing):
            demo.set_up(tmp_path / "demo")
    finally:
        monkeypatch.undo()
        environment.base.cache_clear()
    assert not Spec.objects.exists()


def test_a_place_that_cannot_be_written_is_refused_and_nothing_is_stored(tmp_path):
    (tmp_path / "demo").write_text("a file")
    with pytest.raises(demo.DemoRefused, match="demo"):
        demo.set_up(tmp_path / "demo")
    assert not Spec.objects.exists()


def test_when_git_fails_no_half_repository_is_left(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "git").write_text("#!/bin/sh\necho 'fatal: no space left' >&2\nexit 128\n")
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")

    with pytest.raises(demo.DemoRefused, match="no space left"):
        demo.set_up(tmp_path / "demo")
    assert list((tmp_path / "demo").iterdir()) == []
