"""The part of Markdown that this handbook uses: headings, paragraphs, lists, code, emphasis and links."""

import html
import re

INLINE = (
    (r"`([^`]+)`", r"<code>\1</code>"),
    (r"\*\*([^*]+)\*\*", r"<strong>\1</strong>"),
    (r"\*([^*]+)\*", r"<em>\1</em>"),
    (r"\[([^\]]+)\]\(([^)]+)\)", lambda match: f'<a href="{match[2].replace(".md", ".html")}">{match[1]}</a>'),
)


def inline(text):
    text = html.escape(text, quote=False)
    for pattern, new in INLINE:
        text = re.sub(pattern, new, text)
    return text


def block(text):
    """One block as HTML."""
    if text.startswith("```"):
        return f"<pre><code>{html.escape(text.strip('`').strip())}</code></pre>"
    heading = re.match(r"(#{1,4}) (.*)", text)
    if heading:
        level = len(heading[1])
        return f"<h{level}>{inline(heading[2])}</h{level}>"
    if text.startswith("- "):
        items = "\n".join(f"<li>{inline(line[2:])}</li>" for line in text.splitlines())
        return f"<ul>\n{items}\n</ul>"
    return f"<p>{inline(' '.join(text.splitlines()))}</p>"


def convert(text):
    """Markdown as HTML. Blocks are separated by empty lines."""
    return "\n".join(block(part.strip("\n")) for part in re.split(r"\n{2,}", text) if part.strip())


def title(text):
    return text.splitlines()[0].lstrip("# ").strip()
