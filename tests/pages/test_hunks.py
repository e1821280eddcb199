"""How the lines of a diff are shown."""

import pytest
from unidiff.patch import PatchSet

from dashboard.pages.hunks import lines_of, pairs_of


def hunk(text: str):
    old, new = (sum(line[:1] in (" ", sign) for line in text.splitlines()) for sign in "-+")
    (found,) = PatchSet.from_string(f"--- a/x\n+++ b/x\n@@ -5,{old} +7,{new} @@ def f():\n{text}")
    return found[0]


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
