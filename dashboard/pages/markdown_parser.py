"""What becomes of each part of a Markdown text. `dashboard.pages.markdown` loads this when it is first needed."""

from collections.abc import Sequence
from typing import Any

from django.utils.html import format_html
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

LINKED = ("http://", "https://", "mailto:")  # other targets, such as files, mean nothing here
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


PARSER = MarkdownIt("commonmark", {"html": False, "maxNesting": NESTED}, renderer_cls=_Renderer)
PARSER.enable(["table", "strikethrough"])
