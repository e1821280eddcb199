"""Text from outside, made fit for every database."""

import re
import unicodedata
from typing import Any

# PostgreSQL stores neither NUL nor half of a surrogate pair; SQLite refuses the latter while encoding.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]*"
NAME_HINT = "letters, digits, dots, underscores and hyphens, with a letter or digit first"


def clean(text: str) -> str:
    """`text` without NUL and lone surrogates."""
    return _UNSTORABLE.sub("", text)


def clean_json(value: Any) -> Any:
    """`value` with every text in it, keys included, cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key) if isinstance(key, str) else key: clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in value]
    return value


def is_storable(text: str) -> bool:
    """Whether `text` can be stored as it is."""
    return _UNSTORABLE.search(text) is None


def is_name(text: str) -> bool:
    """Whether `text` may name a project, a spec or a chunk: it is safe as a file name and in an address."""
    return re.fullmatch(NAME_PATTERN, text) is not None


def slug(text: str) -> str:
    """The nearest name to `text`; empty when nothing of it can stay."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_only).strip("._-")
