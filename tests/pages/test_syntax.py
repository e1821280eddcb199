"""The colours of the lines of a diff."""

import re
import time
from pathlib import Path

import pytest
from unidiff.patch import PatchSet

from dashboard.pages import syntax
from dashboard.pages.hunks import lines_of, pairs_of

TOKENS = Path("dashboard/theme/static_src/src/tokens.css")


def test_keywords_functions_strings_and_comments_have_colours():
    lexer = syntax.lexer_for("src/pay.ts")
    assert lexer
    (line,) = syntax.coloured(["const s = useState('idle'); // now"], lexer)
    assert line == (
        '<span class="code-k">const</span> s = <span class="code-f">useState</span>'
        '(<span class="code-s">&#x27;idle&#x27;</span>); <span class="code-c">// now</span>'
    )


def test_a_string_of_several_lines_is_coloured_in_each_and_no_line_is_lost():
    lexer = syntax.lexer_for("a.py")
    assert lexer
    lines = syntax.coloured(['x = """one', "", 'two"""', "y"], lexer)
    assert lines[0] == 'x = <span class="code-s">&quot;&quot;&quot;one</span>'
    assert lines[1] == ""
    assert lines[2] == '<span class="code-s">two&quot;&quot;&quot;</span>'
    assert lines[3] == "y"


@pytest.mark.parametrize("path", ["notes.txt", "Makefile", "a", "", "archive.tar.gz", "x.PY.orig"])
def test_what_is_not_known_stays_plain(path):
    assert syntax.lexer_for(path) is None


@pytest.mark.parametrize("name", sorted(syntax.BY_ENDING))
def test_every_lexer_keeps_the_text_and_escapes_it(name):
    text = ["<script>alert('x')</script> & \"y\"", "\t{% if %} ⟨U+202E⟩", "", "# end"]
    lexer = syntax.lexer_for(f"dir.d/file.{name.upper()}")
    assert lexer
    html = syntax.coloured(text, lexer)
    assert "<script" not in "".join(html)
    plain = [re.sub(r"</?span[^>]*>", "", line) for line in html]
    for code, sign in (("&lt;", "<"), ("&gt;", ">"), ("&#x27;", "'"), ("&quot;", '"'), ("&amp;", "&")):
        plain = [line.replace(code, sign) for line in plain]
    assert plain == text


@pytest.mark.parametrize("name", syntax.LEXERS)
def test_hostile_text_does_not_keep_the_page_waiting(name):
    lexer = syntax.lexer_for(f"x.{syntax.LEXERS[name][0]}")
    assert lexer
    slow = []
    for piece in ("(", '"', "'", "\\", "<", "a ", "/*", "{", "`", "$(", "<<", "0", "=", "\t", "//", "#{"):
        begun = time.process_time()
        syntax.coloured([(piece * 2000)[:2000]] * (syntax.MOST_CHARACTERS // 2000), lexer)
        if time.process_time() - begun > 1:
            slow.append(piece)
    assert slow == []


def test_before_and_after_are_read_by_themselves():
    text = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-s = '''open\n+s = 'shut'\n for x in y:\n"
    hunk = PatchSet.from_string(text)[0][0]
    removed, added, same = lines_of(hunk, syntax.lexer_for("x.py"))
    assert "code-s" in removed.html
    assert "code-k" in same.html  # not a part of the string that was removed
    assert [pair and pair.shown for pair in pairs_of(hunk, syntax.lexer_for("x.py"))[0]] == [removed.html, added.html]
    assert lines_of(hunk)[0].shown == "s = '''open"


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("texts", "grounds"),
    [
        (("text", "ansi-5", "ansi-4", "ansi-2", "text-3"), ("inset", "tint-accent", "tint-bad")),
        (
            ("text", "text-2", "text-3", "accent", "warn", "bad", "info", "violet"),
            ("bg", "surface", "raised", "hover", "inset"),
        ),
        (("on-accent",), ("accent", "accent-bright")),
        (("on-danger",), ("danger", "danger-bright")),
    ],
    ids=["code", "words", "primary", "danger"],
)
def test_every_text_can_be_read_on_every_ground(theme, texts, grounds):
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", TOKENS.read_text())
    colours = {name: pair[theme] for name, *pair in found}
    weak = [(one, other) for one in texts for other in grounds if contrast(colours[one], colours[other]) < 4.5]
    assert weak == []
