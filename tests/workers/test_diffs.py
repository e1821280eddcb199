"""What differs between two commits, as real git says it."""

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.gits import Gits, gits  # noqa: F401
from tests.support.repository import commit, git, repository
from workers import diffs, patches
from workers import git as running
from workers.diffs import Change, Kind
from workers.git import GitFailed

TEXT = "100644"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


@pytest.fixture
def base(source: Path) -> str:
    return git(source, "rev-parse", "HEAD")


def keep(source: Path) -> str:
    git(source, "add", "--all")
    return commit(source)


def files(source: Path, old: str, new: str) -> list[Change]:
    return diffs.changes(source, old, new).files


def only(source: Path, old: str, new: str) -> Change:
    (change,) = files(source, old, new)
    return change


def lines(source: Path, old: str, new: str, change: Change) -> list[tuple[int | None, int | None, str]]:
    found = patches.patch(source, old, new, change)
    return [(line.source_line_no, line.target_line_no, str(line)) for hunk in found.hunks for line in hunk]


def test_files_are_listed_with_counts(source: Path, base: str) -> None:
    new = commit(source, a="one\ntwo\n", b="b\n")
    found = diffs.changes(source, base, new)
    assert [(file.kind, file.path, file.added, file.removed) for file in found.files] == [
        (Kind.MODIFIED, "a.txt", 1, 0),
        (Kind.ADDED, "b.txt", 1, 0),
    ]
    assert found.totals == diffs.Totals(files=2, added=2, removed=0)


def test_lines_have_their_numbers_before_and_after(source: Path) -> None:
    old = commit(source, a="".join(f"{n}\n" for n in range(1, 21)))
    text = (source / "a.txt").read_text().replace("10\n", "ten\neleven\n")
    new = commit(source, a=text)
    assert lines(source, old, new, only(source, old, new)) == [
        (7, 7, " 7\n"),
        (8, 8, " 8\n"),
        (9, 9, " 9\n"),
        (10, None, "-10\n"),
        (None, 10, "+ten\n"),
        (None, 11, "+eleven\n"),
        (11, 12, " 11\n"),
        (12, 13, " 12\n"),
        (13, 14, " 13\n"),
    ]


def test_a_file_that_is_added_and_one_that_is_deleted(source: Path, base: str) -> None:
    (source / "a.txt").unlink()
    (source / "b.txt").write_text("b")
    gone, come = files(source, base, new := keep(source))
    assert (gone.kind, come.kind) == (Kind.DELETED, Kind.ADDED)
    assert lines(source, base, new, gone) == [(1, None, "-one\n")]
    assert lines(source, base, new, come) == [(None, 1, "+b\n"), (None, None, "\\ No newline at end of file\n")]


def test_a_renamed_file_is_one_change_with_what_differs(source: Path) -> None:
    old = commit(source, long="line\n" * 50)
    git(source, "mv", "long.txt", "other name.txt")
    (source / "other name.txt").write_text("line\n" * 50 + "last\n")
    change = only(source, old, new := keep(source))
    assert (change.kind, change.was, change.path) == (Kind.RENAMED, "long.txt", "other name.txt")
    assert (change.added, change.removed) == (1, 0)
    assert lines(source, old, new, change)[-1] == (None, 51, "+last\n")


def test_a_file_that_becomes_executable_differs_in_nothing_else(source: Path, base: str) -> None:
    (source / "a.txt").chmod(0o755)
    change = only(source, base, new := keep(source))
    assert change.became_executable is True
    assert only(source, new, base).became_executable is False
    assert (change.lines, lines(source, base, new, change)) == (0, [])


def test_a_file_that_becomes_a_link_shows_both(source: Path, base: str) -> None:
    (source / "a.txt").unlink()
    (source / "a.txt").symlink_to("elsewhere")
    change = only(source, base, new := keep(source))
    assert (change.kind, change.is_link, change.became_executable) == (Kind.RETYPED, True, None)
    assert [text for *_, text in lines(source, base, new, change)][:2] == ["-one\n", "+elsewhere\n"]


def test_a_binary_file_has_sizes_and_no_lines(source: Path, base: str) -> None:
    (source / "a.bin").write_bytes(bytes(range(256)))
    old = keep(source)
    (source / "a.bin").write_bytes(bytes(range(256)) * 2)
    change = only(source, old, new := keep(source))
    assert (change.is_binary, change.added, change.lines) == (True, None, 0)
    assert diffs.sizes(source, [change]) == dict(zip(change.blobs, (256, 512), strict=True))
    assert patches.patch(source, old, new, change).hunks == []


def test_a_submodule_shows_its_commits(source: Path, base: str, tmp_path: Path) -> None:
    other = repository(tmp_path / "other")
    git(source, "submodule", "--quiet", "add", str(other), "sub")
    new = keep(source)
    change = next(file for file in files(source, base, new) if file.path == "sub")
    assert change.is_submodule
    assert diffs.sizes(source, [change]) == {}
    assert "Subproject commit" in lines(source, base, new, change)[0][2]


NAMES = {  # as they are, and as git shows them without the quotes around them
    b"caf\xe9": r"caf\351",
    b"tab\there": r"tab\there",
    b"new\nline": r"new\nline",
    b"back\\nslash": r"back\\nslash",
    "admin\u202e\u2066txt".encode(): r"admin\342\200\256\342\201\246txt",
    b"\x01\x7f\xff": r"\001\177\377",
    b"half \xed\xa0\x80": r"half \355\240\200",
    b'quo"te': 'quo"te',
    b"-dash": "-dash",
    b":(top)x": ":(top)x",
    "ünï 日本 🙂".encode(): "ünï 日本 🙂",
    b" space ": " space ",
    b"a => b": "a => b",
}


def place(source: Path, name: bytes) -> Path:
    return Path((bytes(source) + b"/" + name).decode(errors="surrogateescape"))


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_shown(source: Path, base: str, name: bytes) -> None:
    place(source, name).write_text("old\n")
    old = keep(source)
    place(source, name).write_text("new\n")
    change = only(source, old, new := keep(source))
    assert change.path == change.was == NAMES[name]
    assert [text for *_, text in lines(source, old, new, change)] == ["-old\n", "+new\n"]


def test_names_are_escaped_as_git_does(source: Path, base: str) -> None:
    odd = [name for name in NAMES if b'"' not in name]
    for name in odd:
        place(source, name).write_text("1\n")
    said = git(source, "-c", "core.quotePath=true", "diff-tree", "-r", "--name-only", base, new := keep(source))
    names = {line.strip('"') for line in said.splitlines()}
    assert {file.path for file in files(source, base, new) if "\\" in file.path} <= names


def test_names_that_look_alike_stay_apart(source: Path, base: str) -> None:
    for name in (b"caf\xe9", rb"caf\351", rb"caf\\351"):
        place(source, name).write_text(f"{name!r}\n")
    found = files(source, base, new := keep(source))
    assert len({file.path for file in found}) == len({file.key for file in found}) == 3
    assert all(len(lines(source, base, new, change)) == 1 for change in found)


def test_a_file_may_lose_a_name_that_is_no_text(source: Path, base: str) -> None:
    place(source, b"caf\xe9").write_text("line\n" * 50)
    old = keep(source)
    place(source, b"caf\xe9").rename(place(source, b"caf\xe8"))
    change = only(source, old, new := keep(source))
    assert (change.kind, change.was, change.path) == (Kind.RENAMED, r"caf\351", r"caf\350")
    assert diffs.touched(source, old, [new]) == {r"caf\351": [0], r"caf\350": [0]}
    assert lines(source, old, new, change) == []


def test_lines_that_look_like_a_diff_are_lines(source: Path, base: str) -> None:
    hostile = (
        "-- a/x\n++ b/x\n@@ -1 +1 @@\ndiff --git a/x b/x\n\\ No newline\nBinary files a and b differ\n\n\r\n\x0c\n"
    )
    new = commit(source, a=hostile)
    shown = [text for *_, text in lines(source, base, new, only(source, base, new))]
    assert shown[0] == "-one\n"
    assert "".join(text[1:] for text in shown[1:]) == hostile


def test_a_diff_in_the_project_below_its_repository_shows_all(source: Path, base: str) -> None:
    (source / "below").mkdir()
    (source / "below" / "b.txt").write_text("b\n")
    new = commit(source, a="two\n")
    git(source, "add", "--all")
    new = commit(source)
    git(source, "config", "diff.relative", "true")
    found = files(source / "below", base, new)
    assert [file.path for file in found] == ["a.txt", "below/b.txt"]
    assert lines(source / "below", base, new, found[0]) == [(1, None, "-one\n"), (None, 1, "+two\n")]


def test_somebodys_configuration_changes_nothing(source: Path, base: str) -> None:
    settings = {"color.ui": "always", "diff.noprefix": "true", "diff.external": "false", "diff.suppressBlankEmpty": "1"}
    old = commit(source, a="one\n\ntwo\n")
    new = commit(source, a="one\n\nthree\n")
    for name, value in settings.items():
        git(source, "config", name, value)
    assert [text for *_, text in lines(source, old, new, only(source, old, new))] == [
        " one\n",
        " \n",
        "-two\n",
        "+three\n",
    ]


@pytest.mark.parametrize("text", ["x\n" * 60_000, "long " * 1000 + "\n", "no end " * 100_000, "\n" * 5000])
def test_a_large_file_is_cut_and_says_so(source: Path, base: str, text: str) -> None:
    old = commit(source, a="head\n" + text)
    new = commit(source, a=text.replace("x", "y").replace("o", "0") + "tail\n")
    change = only(source, old, new)
    found = patches.patch(source, old, new, change)
    count = sum(len(hunk) for hunk in found.hunks)
    assert count <= patches.MOST_LINES
    assert sum(len(line.value) for hunk in found.hunks for line in hunk) <= patches.MOST_BYTES
    assert found.shown == (count if change.lines > count else None)


def test_the_last_line_before_the_cut_is_whole(source: Path, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    new = commit(source, a="".join(f"line {n}\n" for n in range(100)))
    change = only(source, base, new)
    whole = lines(source, base, new, change)
    for limit in range(120, 400):
        monkeypatch.setattr(patches, "MOST_BYTES", limit)
        shown = lines(source, base, new, change)
        assert shown == whole[: len(shown)]


def test_a_patch_that_is_written_can_be_applied(source: Path, base: str, tmp_path: Path) -> None:
    (source / "a.bin").write_bytes(bytes(range(256)))
    new = commit(source, a="two\n", b="b\n")
    git(source, "add", "--all")
    new = commit(source)
    git(source, "checkout", "--quiet", base)
    file = tmp_path / "all.patch"
    with file.open("wb") as target:
        patches.write_patch(source, target, base, new)
    git(source, "apply", "--index", str(file))
    assert git(source, "write-tree") == git(source, "rev-parse", f"{new}^{{tree}}")


@pytest.mark.parametrize("setting", ["diff.noprefix", "diff.mnemonicPrefix"])
def test_a_patch_can_be_applied_whatever_somebody_has_configured(
    source: Path, base: str, tmp_path: Path, setting: str
) -> None:
    new = commit(source, a="two\n")
    git(source, "checkout", "--quiet", base)
    git(source, "config", setting, "true")
    with (tmp_path / "all.patch").open("wb") as target:
        patches.write_patch(source, target, base, new)
    git(source, "apply", str(tmp_path / "all.patch"))
    assert (source / "a.txt").read_text() == "two\n"


def test_a_patch_of_one_file_holds_no_other(source: Path, base: str, tmp_path: Path) -> None:
    new = commit(source, a="two\n", b="b\n")
    change = files(source, base, new)[1]
    with (tmp_path / "one.patch").open("w+b") as file:
        patches.write_patch(source, file, base, new, change)
        file.seek(0)
        text = file.read().decode()
    assert "b.txt" in text
    assert "a.txt" not in text


def test_what_was_found_once_is_remembered(source: Path, base: str) -> None:
    new = commit(source, a="two\n")
    assert diffs.remembered(source, base, new) is None
    found = diffs.changes(source, base, new)
    source.rename(source.with_name("elsewhere"))
    assert diffs.remembered(source, base, new) == diffs.changes(source, base, new) == found


@pytest.mark.parametrize(("files", "kept"), [(2, 1), (4, 2), (100, 3)])
def test_so_many_files_are_remembered_those_asked_for_last(
    source: Path, base: str, monkeypatch: pytest.MonkeyPatch, files: int, kept: int
) -> None:
    monkeypatch.setattr(diffs, "_memory", diffs._Memory())
    monkeypatch.setattr(diffs, "REMEMBERED", files)
    first, second, third = (commit(source, a=f"{text}\n") for text in ("two", "three", "four"))
    for new in (first, second, first, third):  # the second is the oldest then
        diffs.changes(source, base, new)
    known = [new for new in (third, first, second) if diffs.remembered(source, base, new)]
    assert known == [third, first, second][:kept]


def test_a_large_difference_takes_the_place_of_many(source: Path, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffs, "_memory", diffs._Memory())
    monkeypatch.setattr(diffs, "REMEMBERED", 10)
    small = [commit(source, a=f"{n}\n") for n in range(4)]
    for new in small:
        diffs.changes(source, base, new)
    large = commit(source, **{f"f{n}": "x\n" for n in range(8)})
    diffs.changes(source, base, large)
    assert [new for new in (*small, large) if diffs.remembered(source, base, new)] == [large]
    assert commit(source, **{f"g{n}": "x\n" for n in range(20)}) != large
    diffs.changes(source, large, git(source, "rev-parse", "HEAD"))  # never fits, and leaves nothing behind
    diffs.changes(source, base, small[0])
    assert diffs.remembered(source, base, small[0])


def test_what_is_cut_off_is_counted(source: Path, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffs, "_memory", diffs._Memory())
    monkeypatch.setattr(diffs, "MOST_FILES", 3)
    git(source, "mv", "a.txt", "z.txt")
    new = commit(source, **dict.fromkeys("bcdefg", "1\n2\n"))
    found = diffs.changes(source, base, new)
    assert [(file.path, file.added) for file in found.files] == [("b.txt", 2), ("c.txt", 2), ("d.txt", 2)]
    assert (found.totals, found.left_out) == (diffs.Totals(files=7, added=12, removed=0), 4)


def test_each_file_knows_which_commits_changed_it(source: Path, base: str) -> None:
    first = commit(source, b="b\n")
    commit(source, c="c\n")
    second = commit(source, a="two\n")
    third = commit(source, a="three\n")
    assert diffs.touched(source, base, [first, first, second, third]) == {
        "b.txt": [0],
        "c.txt": [2],
        "a.txt": [2, 3],
    }


def test_many_differences_are_one_question(source: Path, base: str, gits: Gits) -> None:  # noqa: F811
    ends = [base, *(commit(source, a=f"{n}\n", **{f"f{n}": "x\n"}) for n in range(20))]
    diffs.changes(source, ends[4], ends[5])
    pairs = [*pairwise(ends), (ends[3], ends[3])]
    gits.taken()
    found = list(diffs.each(source, pairs))
    assert gits.taken() == ["diff-tree"]
    assert [difference.totals for difference in found[:-1]] == [diffs.Totals(2, 2, 1)] * 20
    assert [change.path for change in found[7].files] == ["a.txt", "f7.txt"]
    assert found[-1].files == []
    assert list(diffs.each(source, pairs)) == found
    assert gits.taken() == []


@pytest.mark.parametrize("ends", [("f" * 40, None), (None, "f" * 40)])
def test_a_commit_that_is_gone_is_told(source: Path, base: str, ends: tuple[str | None, str | None]) -> None:
    old, new = (end or base for end in ends)
    with pytest.raises(GitFailed, match="ffffffffff"):
        diffs.changes(source, old, new)


def test_a_git_that_hangs_is_ended(source: Path, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    git(source, "config", "alias.hang", "!exec sleep 60")
    monkeypatch.setattr(running, "GIT_SECONDS", 0.2)
    with pytest.raises(GitFailed, match="took longer"):
        running.git(source, "hang")
    with pytest.raises(GitFailed, match="took longer"):
        running.beginning(source, 10, "hang")


def test_what_git_was_told_by_whoever_started_us_is_forgotten(
    source: Path, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "wrong")], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "wrong" / ".git"))
    assert running.git(source, "rev-parse", "HEAD").strip() == base


def test_more_than_enough_is_not_waited_for(source: Path) -> None:
    git(source, "config", "alias.forever", "!yes")
    assert running.beginning(source, 1000, "forever") == b"y\n" * 500
    with pytest.raises(GitFailed, match="no-such failed"):
        running.beginning(source, 1000, "no-such")


def test_a_directory_that_is_gone_is_told(source: Path, base: str) -> None:
    for ask in (running.git, lambda *arguments: running.beginning(arguments[0], 10, *arguments[1:])):
        with pytest.raises(GitFailed, match="No such file"):
            ask(source.with_name("gone"), "status")
