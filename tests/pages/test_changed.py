"""How changes are put into rows and lines."""

from pathlib import Path

import pytest
from unidiff.patch import PatchSet

from dashboard.pages import changed
from dashboard.pages.changed import Line, Row, Span, View, lines_of, listing_of, pairs_of
from specs.models import Project
from tests.support.repository import commit, git, repository
from workers.models import Worker


def hunk(text: str):
    old, new = (sum(line[:1] in (" ", sign) for line in text.splitlines()) for sign in "-+")
    (found,) = PatchSet.from_string(f"--- a/x\n+++ b/x\n@@ -5,{old} +7,{new} @@ def f():\n{text}")
    return found[0]


def same(text: str, old: int, new: int) -> Line:
    return Line("same", "", text, old, new)


def test_what_replaces_lines_stands_beside_them():
    pairs = pairs_of(hunk(" a\n-b\n-c\n+B\n d\n+e\n"))
    assert [(old and (old.old, old.text), new and (new.new, new.text)) for old, new in pairs] == [
        ((5, "a"), (7, "a")),
        ((6, "b"), (8, "B")),
        ((7, "c"), None),
        ((8, "d"), (9, "d")),
        (None, (10, "e")),
    ]


def test_a_missing_end_of_line_is_said_on_its_side():
    assert [line.text for line in lines_of(hunk("-a\n\\ No newline at end of file\n+a\n"))] == [
        "a",
        "No newline at end of file",
        "a",
    ]
    pairs = pairs_of(hunk("-a\n\\ No newline at end of file\n+a\n"))
    assert [(old and old.kind, new and new.kind) for old, new in pairs] == [("removed", "added"), ("note", None)]
    pairs = pairs_of(hunk("-x\n a\n\\ No newline at end of file\n"))
    assert [(old and old.kind, new and new.kind) for old, new in pairs][1:] == [("same", "same"), ("note", "note")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\n", "a␍"),
        ("if (\u202eadmin\u2066) {\n", "if (⟨U+202E⟩admin⟨U+2066⟩) {"),
        ("zero\u200bwidth\n", "zero⟨U+200B⟩width"),
        ("x" * 2500 + "\n", "x" * 2000 + " … and 500 more characters"),
        ("\ttab\n", "\ttab"),
    ],
)
def test_nothing_in_a_line_hides(text, shown):
    assert lines_of(hunk(f"+{text}"))[0].text == shown


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


def listing(source: Path, **wanted: str) -> changed.Listing:
    """What has changed since the first commit."""
    git(source, "add", "--all")
    commit(source)
    worker = Worker(pk=1, project=Project(directory=str(source)))
    base = git(source, "rev-list", "--max-parents=0", "HEAD")
    return listing_of(Span(worker, base, git(source, "rev-parse", "HEAD")), View(worker, **wanted), {})


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


def test_a_name_that_is_no_text_has_an_address(source):
    Path((bytes(source) + b"/caf\xe9.txt").decode(errors="surrogateescape")).write_text("1\n")
    found = row(source)
    assert "caf%E9.txt" in found.lines_address
    assert found.shown.patch.hunks
