"""Markdown of agents and people as HTML that can do no harm."""

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

SWOLLEN = 20  # a text whose HTML is so many times as long is shown as it is


def markdown(text: str) -> SafeString:
    """The text as HTML: tags in it are shown, not obeyed, and nothing is loaded from elsewhere."""
    from dashboard.pages.markdown_parser import PARSER  # here, because most pages live without the memory that it takes

    html: str = PARSER.render(text)
    if len(html) > SWOLLEN * len(text) + 1000:
        return format_html("<pre>{}</pre>", text)
    return mark_safe(html)
