"""What an edit has changed, line by line."""

import random
import time

import pytest

from dashboard.pages.edits import CONTEXT, MOST_ROWS, edit


def shown(old: str, new: str) -> list[str]:
    signs = {"same": " ", "added": "+", "removed": "-", "hunk": "@"}
    return [f"{signs[row.kind]}{row.text}" for row in edit("a", old, new).rows]


def test_a_changed_line_stands_among_its_neighbours():
    old = "\n".join("abcdefghij")
    assert shown(old, old.replace("e", "E")) == ["@@@ line 2 @@", " b", " c", " d", "-e", "+E", " f", " g", " h"]


def test_lines_are_numbered_on_both_sides():
    rows = edit("a", "one\ntwo\nthree\n", "zero\none\nthree\n").rows
    assert [(row.kind, row.old, row.new) for row in rows] == [
        ("added", "", 1),
        ("same", 1, 2),
        ("removed", 2, ""),
        ("same", 3, 3),
    ]


@pytest.mark.parametrize(
    "old, new, added, removed",
    [("", "a\nb\n", 2, 0), ("a\nb\n", "", 0, 2), ("a", "a", 0, 0), ("a\r\nb", "a\nb\n", 0, 0)],
)
def test_lines_are_counted(old, new, added, removed):
    found = edit("a", old, new)
    assert (found.added, found.removed) == (added, removed)


def test_changes_that_are_far_apart_are_separate():
    old = [str(number) for number in range(60)]
    new = ["x" if number in (10, 40) else line for number, line in enumerate(old)]
    rows = edit("a", "\n".join(old), "\n".join(new)).rows
    assert [row.text for row in rows if row.kind == "hunk"] == ["@@ line 8 @@", "@@ line 38 @@"]
    assert sum(row.kind == "same" for row in rows) == 4 * CONTEXT


@pytest.mark.parametrize("seed", range(20))
def test_the_new_text_can_be_made_of_what_is_shown(seed):
    chosen = random.Random(seed)
    old, new = ([chosen.choice("abc") for _ in range(chosen.randrange(12))] for _ in range(2))
    rows = [row for row in edit("a", "\n".join(old), "\n".join(new)).rows if row.kind != "hunk"]
    made, taken = list[str](), 0
    for row in rows:
        until = row.old - 1 if row.kind != "added" else (row.new - 1 - len(made)) + taken
        made += old[taken:until]
        taken = max(taken, until)
        if row.kind != "removed":
            made.append(row.text)
        if row.kind != "added":
            taken += 1
    assert made + old[taken:] == new


def test_long_texts_that_differ_throughout_are_not_compared_for_ever():
    chosen = random.Random(1)
    old, new = ("\n".join(chosen.choice("abcd") for _ in range(20_000)) for _ in range(2))
    begun = time.process_time()
    found = edit("a", old, new)
    assert time.process_time() - begun < 2
    assert len(found.shown) == MOST_ROWS
    assert found.hidden == len(found.rows) - MOST_ROWS


def test_a_small_change_in_a_long_text_is_found():
    old = [str(number) for number in range(30_000)]
    new = [*old[:15_000], "new", *old[15_001:]]
    assert (edit("a", "\n".join(old), "\n".join(new)).added, len(edit("a", "\n".join(old), "\n".join(new)).rows)) == (
        1,
        9,
    )
