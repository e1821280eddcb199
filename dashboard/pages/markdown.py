"""Markdown of agents and people as HTML that can do no harm."""

from collections.abc import Sequence
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

LINKED = ("http://", "https://", "mailto:")  # other targets, such as files, mean nothing here
SWOLLEN = 20  # a text whose HTML is so many times as long is shown as it is
ALIGNED = {"center": "is-center", "right": "is-right"}  # columns; the content policy forbids styles
NESTED = 60  # levels of lists and quotes; deeper ones are left out


class _Renderer(RendererHTML):
    """Links lead out of the page, and only to the web; of images only the words are shown; tables can be scrolled."""

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        target = str(tokens[idx].attrGet("href") or "")
        if not target.lower().startswith(LINKED):
            return format_html('<span title="{}">', target)
        return format_html('<a class="link" href="{}" rel="nofollow noopener noreferrer" target="_blank">', target)

    def link_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        opened = next(token for token in reversed(tokens[:idx]) if token.type == "link_open")
        return "</a>" if str(opened.attrGet("href") or "").lower().startswith(LINKED) else "</span>"

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return format_html('<span title="{}">{}</span>', tokens[idx].attrGet("src"), tokens[idx].content)

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        aligned = str(tokens[idx].attrGet("style") or "").removeprefix("text-align:")
        return format_html('<{} class="{}">', tokens[idx].tag, ALIGNED.get(aligned, ""))

    td_open = th_open

    def table_open(self, *args: Any) -> str:
        return '<div class="prose-table"><table>'

    def table_close(self, *args: Any) -> str:
        return "</table></div>"


_OPTIONS = {"html": False, "maxNesting": NESTED}
_PARSER = MarkdownIt("commonmark", _OPTIONS, renderer_cls=_Renderer).enable(["table", "strikethrough"])


def markdown(text: str) -> SafeString:
    """The text as HTML: tags in it are shown, not obeyed, and nothing is loaded from elsewhere."""
    html = _PARSER.render(text)
    if len(html) > SWOLLEN * len(text) + 1000:
        return format_html("<pre>{}</pre>", text)
    return mark_safe(html)
