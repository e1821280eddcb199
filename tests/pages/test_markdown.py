"""Markdown from agents: shown as it was meant, and unable to do harm."""

import re
import time

import pytest

from dashboard.pages.markdown import markdown

ALLOWED = {"href", "rel", "target", "class", "title", "start"}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <b onclick='x()'>b</b>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "<javascript:alert(1)>",
    '[x](https://a.b/"onmouseover="alert(1))',
    "[x](https://a.b 'title\" onclick=\"y')",
    '![x" onerror="alert(1)](https://a.b/c.png)',
    '```x" onclick="y\n</code></pre><script>alert(1)</script>\n```',
    "|a|\n|:-:|\n|<script>|",
    "[a]: javascript:alert(1)\n\n[a]",
    "1" * 9 + ". x",
    "\x00\x1b[31m \u202e right to left",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_text_becomes_a_program(text):
    html = markdown(text)
    for tag in re.findall(r"<[a-z][^>]*>", html):
        assert not re.match(r"<(script|img|iframe|style|svg|object|form|input|b |b>)", tag), html
        assert set(re.findall(r'\s([a-z-]+)="', tag)) <= ALLOWED, html
        assert 'href="' not in tag or re.search(r'href="(https?://|mailto:)', tag), html


def test_a_link_leads_out_of_the_page_and_is_not_endorsed():
    html = markdown("[docs](https://example.org/a?b=1&c=2)")
    expected = (
        '<a class="link" href="https://example.org/a?b=1&amp;c=2" rel="nofollow noopener noreferrer" target="_blank">'
    )
    assert f"{expected}docs</a>" in html


def test_a_link_to_a_file_is_no_link():
    assert markdown("see [rules](src/rules.ts)") == '<p>see <span title="src/rules.ts">rules</span></p>\n'


def test_of_an_image_only_its_words_are_shown():
    assert markdown("![a chart](https://tracker.example/c.png)") == (
        '<p><span title="https://tracker.example/c.png">a chart</span></p>\n'
    )


def test_lists_code_and_tables_look_as_they_should():
    html = markdown("1. one\n2. two\n\n```py\nx < 1\n```\n\n|a|b|\n|-|-:|\n|1|2|\n\n~~old~~")
    for part in ("<ol>", '<code class="language-py">x &lt; 1', "<table>", '<td class="is-right">2</td>', "<s>old</s>"):
        assert part in html


LIMIT = 24_000
HEAVY = {
    "brackets": "[" * LIMIT,
    "images": "![[[[" * (LIMIT // 5),
    "stars": "*a **b " * (LIMIT // 7),
    "quotes": ">" * LIMIT,
    "lists": "\n".join("  " * n + "- a" for n in range(150)),
    "ticks": "".join("`" * n + " " for n in range(1, 215)),
    "links": "[a](" * (LIMIT // 4),
    "columns": "|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n" + "|\n" * 11_000,
    "references": "".join(f"[a{n}]: b\n" for n in range(2400)),
}


@pytest.mark.parametrize("text", HEAVY.values(), ids=HEAVY)
def test_no_text_that_is_shown_takes_long_or_swells(text):
    begun = time.process_time()
    html = markdown(text[:LIMIT])
    assert time.process_time() - begun < 3
    assert len(html) < 30 * LIMIT
