"""The words of a program in colours, as classes that the theme colours: keywords, functions, strings, comments."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

if TYPE_CHECKING:
    from pygments.lexer import Lexer

MOST_CHARACTERS = 20_000  # of one file; more would keep the page waiting
# By the ending of a name. Few, because what they read is not ours; without those that a hostile text keeps busy for
# seconds, such as the one for Java: tests/pages/test_syntax.py tries them.
LEXERS = {
    "c": ("c", "h"),
    "cpp": ("cc", "cpp", "cxx", "hpp"),
    "csharp": ("cs",),
    "css": ("css", "scss"),
    "go": ("go",),
    "html+django": ("html", "htm"),
    "javascript": ("js", "jsx", "mjs", "cjs"),
    "json": ("json",),
    "kotlin": ("kt",),
    "php": ("php",),
    "python": ("py", "pyi"),
    "ruby": ("rb",),
    "rust": ("rs",),
    "bash": ("sh", "bash"),
    "sql": ("sql",),
    "swift": ("swift",),
    "toml": ("toml",),
    "typescript": ("ts", "tsx"),
    "yaml": ("yaml", "yml"),
}
BY_ENDING = {ending: name for name, endings in LEXERS.items() for ending in endings}


def lexer_for(path: str) -> "Lexer | None":
    """What reads files of this name, None for a kind that is not known. Loaded only when somebody looks at a diff."""
    name = BY_ENDING.get(PurePosixPath(path).suffix[1:].lower())
    if name is None:
        return None
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(name, stripnl=False, ensurenl=False)


def coloured(lines: Sequence[str], lexer: "Lexer") -> list[SafeString]:
    """Lines that follow one another in a file, as HTML."""
    found: list[list[str]] = [[] for _ in lines]
    at = 0
    for css, words in groupby(_words("\n".join(lines), lexer), key=itemgetter(0)):
        for n, piece in enumerate("".join(text for _, text in words).split("\n")):
            at += n > 0
            if piece:
                found[at].append(f'<span class="code-{css}">{escape(piece)}</span>' if css else escape(piece))
    return [mark_safe("".join(pieces)) for pieces in found]  # every piece is escaped above


def _words(text: str, lexer: "Lexer") -> Iterator[tuple[str, str]]:
    """(class, text); a name before a bracket is that of a function."""
    from pygments.token import Comment, Keyword, Name, Operator, String

    classes = ((Comment, "c"), (Keyword, "k"), (Operator.Word, "k"), (String, "s"), (Name.Function, "f"))
    for at, kind, words in lexer.get_tokens_unprocessed(text):
        is_called = kind in Name and text[at + len(words) : at + len(words) + 1] == "("
        css = next((css for one, css in classes if kind in one), "f" if is_called else "")
        yield css, words
