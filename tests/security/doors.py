"""Every way into Specyard over HTTP, from its tables of addresses."""

import re
from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

from tests.accounts.test_every_action import methods_of

NOBODYS = "4711"  # a number that no row has
NUMBER = re.compile(r"<int:\w+>")
TEXT = re.compile(r"<(?:str|path|slug):\w+>|<\w+>")


def pages() -> dict[str, tuple[str, set[str]]]:
    """Name: address and the methods that act, of everything but the API and Django's admin."""
    return {str(one.name): (path, methods_of(one.callback)) for path, one in _patterns(get_resolver("dashboard.urls"))}


def _patterns(resolver: URLResolver, before: str = "/") -> Iterator[tuple[str, URLPattern]]:
    for found in resolver.url_patterns:
        path = before + str(found.pattern)
        if isinstance(found, URLResolver):
            if found.namespace != "admin":
                yield from _patterns(found, path)
            continue
        yield TEXT.sub("csv", NUMBER.sub(NOBODYS, path)), found
