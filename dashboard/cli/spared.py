"""What libraries import on their own account and nobody here uses: some 15 MB of an idle installation."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

# Imported inside a `try`, because it is optional: Twisted's own TLS, encrypted channel layers, greenlets for Celery,
# what lets Autobahn unmask long messages faster (those of our pages are short), and for structlog tracebacks that are
# drawn and loggers for Twisted.
OPTIONAL = (
    "OpenSSL",
    "cryptography",
    "greenlet",
    "_nvx_utf8validator",
    "rich",
    "better_exceptions",
    "structlog.twisted",
)
# Autobahn's packages import all of WAMP, and that the whole of `cryptography`; Daphne wants nothing but WebSockets.
UNUSED = {
    "autobahn.twisted.wamp": ("ApplicationSession",),
    "autobahn.wamp.message": ("Message", "Welcome"),
}


@contextmanager
def spared() -> Iterator[None]:
    """Meanwhile the optional ones are absent and the unused ones empty. Whoever needs one later finds it."""
    instead: Mapping[str, ModuleType | None] = {
        **dict.fromkeys(OPTIONAL),  # an import of None raises ImportError
        **{name: _empty(name, classes) for name, classes in UNUSED.items()},
    }
    instead = {name: module for name, module in instead.items() if name not in sys.modules}
    sys.modules.update(instead)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in instead:
            del sys.modules[name]


def _empty(name: str, classes: tuple[str, ...]) -> ModuleType:
    module = ModuleType(name)
    vars(module).update({each: type(each, (), {}) for each in classes})
    return module
