"""Texts encrypted at rest, with keys that are not in the database (`settings.SPECYARD.secrets_keys`).

The first key encrypts, every one decrypts, so that keys can be changed one after the other. They are read each time:
another process may have put a new one in front a moment ago.
"""

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from specs.errors import KeyUnusable, SecretUnreadable

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


def new_key() -> str:
    """A key for nobody else."""
    from cryptography.fernet import Fernet  # some megabytes, which an installation without secrets need not load

    return Fernet.generate_key().decode()


@sensitive_variables()
def encrypt(text: str) -> str:
    """The text for whoever has the key; the key is made when there is none yet. Raises KeyUnusable."""
    return _keys(make=True)[0].encrypt(text.encode()).decode()


@sensitive_variables()
def decrypt(stored: str) -> str:
    """What was encrypted. Raises SecretUnreadable when none of the keys opens it, or KeyUnusable."""
    return _opened(stored, _keys())


def is_under_first_key(stored: str) -> bool:
    """Whether nothing but the first key is needed for it. Raises KeyUnusable."""
    try:
        _opened(stored, _keys()[:1])
    except SecretUnreadable:
        return False
    return True


@sensitive_variables()
def _opened(stored: str, keys: "list[Fernet]") -> str:
    from cryptography.fernet import InvalidToken

    for key in keys:
        try:
            return key.decrypt(stored.encode()).decode()
        except InvalidToken:
            continue
    raise SecretUnreadable


@sensitive_variables()
def _keys(*, make: bool = False) -> "list[Fernet]":
    try:
        return [_key(text) for text in settings.SPECYARD.secrets_keys(make=make)]
    except OSError as error:
        raise KeyUnusable(f"The key of the secrets cannot be read: {error}.") from error
    except ValueError as error:
        raise KeyUnusable(str(error)) from error


@cache
def _key(text: str) -> "Fernet":
    from cryptography.fernet import Fernet

    return Fernet(text)
