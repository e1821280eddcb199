"""How the files that a worker has changed are listed."""

from pathlib import Path

import pytest

from dashboard.pages import changed
from dashboard.pages.changed import Row, View, listing_of
from tests.support import make
from tests.support.repository import commit, git, repository
from workers import diffs
from workers.models import Worker
from workers.spans import Span

pytestmark = pytest.mark.django_db  # whose secrets are to be hidden


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


def listing(source: Path, **wanted: str) -> changed.Listing:
    """What has changed since the first commit."""
    git(source, "add", "--all")
    commit(source)
    worker = Worker(pk=1, project=make.project(source))
    base = git(source, "rev-list", "--max-parents=0", "HEAD")
    return listing_of(Span(worker, base, git(source, "rev-parse", "HEAD")), View(worker, **wanted))


def row(source: Path) -> Row:
    (found,) = listing(source).rows
    return found.opened()


def test_long_files_and_generated_ones_are_folded(source):
    (source / "a.txt").write_text("two\n")
    (source / "b.txt").write_text("b\n" * 401)
    (source / "package-lock.json").write_text("{}\n")
    (source / "sub").mkdir()
    (source / "sub" / "app.min.js").write_text("x\n")
    (source / "z.txt").write_text("z\n")
    rows = listing(source).rows
    assert [found.change.path for found in rows if found.shown] == ["a.txt", "z.txt"]
    assert [found.change.path for found in rows if found.is_generated] == ["package-lock.json", "sub/app.min.js"]


def test_only_so_many_files_are_open(source):
    for name in "bcdefgh":
        (source / f"{name}.txt").write_text(f"{name}\n")
    assert len([found for found in listing(source).rows if found.shown]) == changed.MOST_OPEN
    assert [found.change.path for found in listing(source, file="h.txt").rows if found.shown] == ["h.txt"]


def test_more_files_than_can_be_listed_are_counted(source, monkeypatch):
    monkeypatch.setattr(changed, "MOST_ROWS", 2)
    for name in "bcde":
        (source / f"{name}.txt").write_text(f"{name}\n")
    found = listing(source)
    assert (len(found.rows), found.left_out) == (2, 2)
    assert listing(source, q="E.").left_out == 0


def test_a_file_that_is_asked_for_is_listed_and_open_however_many_come_before_it(source, monkeypatch):
    monkeypatch.setattr(changed, "MOST_ROWS", 2)
    for name in "bcde":
        (source / f"{name}.txt").write_text(f"{name}\n")
    found = listing(source, file="d.txt")
    assert [(row.change.path, row.shown is not None) for row in found.rows] == [
        ("b.txt", False),
        ("c.txt", False),
        ("d.txt", True),
    ]
    assert found.left_out == 1


@pytest.mark.parametrize("wanted", [{"file": "none.txt"}, {"file": "d.txt", "q": "b."}])
def test_without_the_file_that_is_asked_for_the_first_ones_are_open(source, wanted):
    for name in "bd":
        (source / f"{name}.txt").write_text(f"{name}\n")
    assert listing(source, **wanted).rows[0].shown is not None


def test_what_became_of_a_file_is_said(source):
    (source / "a.txt").rename(source / "b.txt")
    (source / "b.txt").chmod(0o755)
    found = row(source)
    assert found.notes == ["was a.txt", "made executable"]
    assert found.shown.instead == "Its contents are the same."


def test_a_binary_file_says_its_size(source):
    (source / "a.bin").write_bytes(bytes(5000))
    found = row(source)
    assert (found.growth, found.notes) == ("5.0 kB", ["new"])
    assert found.shown.instead == "A binary file, 5.0 kB."


def test_a_file_that_is_cut_says_how_large_it_is(source):
    (source / "b.txt").write_text("b\n" * 30_000)
    assert row(source).shown.cut.startswith("Cut after 1")
    assert row(source).shown.cut.endswith("It has 30000 changed lines in a file of 60 kB.")
    (source / "b.txt").write_text("b" * 600_000)
    assert row(source).shown.instead == "Its lines are too long to be shown: 600 kB."


def test_the_same_key_means_the_same_lines(source):
    (source / "b.txt").write_text("b\n")
    first = row(source)
    assert row(source).key == first.key  # another commit, the same file
    (source / "b.txt").write_text("c\n")
    assert row(source).key != first.key


def test_a_path_gives_way_before_a_name(source):
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep" / "er" / "b.txt").write_text("b\n")
    found = row(source)
    assert (found.place, found.name) == ("deep/er/", "b.txt")


def test_more_files_than_git_is_asked_for_are_counted(source, monkeypatch):
    monkeypatch.setattr(diffs, "MOST_FILES", 3)
    for name in "bcde":
        (source / f"{name}.txt").write_text(f"{name}\n")
    found = listing(source)
    assert (len(found.rows), found.left_out, found.span.totals.files) == (3, 0, 4)
    assert found.span.difference.left_out == 1


def test_a_heading_of_a_hunk_hides_nothing(source):
    (source / "a.py").write_text("def f():  # \u202e\n" + "    x\n" * 20)
    git(source, "add", "--all")
    old = commit(source)
    (source / "a.py").write_text("def f():  # \u202e\n" + "    x\n" * 19 + "    y\n")
    git(source, "add", "--all")
    span = Span(Worker(pk=1, project=make.project(source)), old, commit(source))
    (found,) = listing_of(span, View(span.worker)).rows
    assert [head for head, _ in found.shown.hunks] == ["@@ -18,4 +18,4 @@ def f():  # ⟨U+202E⟩"]
