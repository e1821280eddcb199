"""Secret values never reach a log, a transcript or the journal."""

from collections.abc import Iterable
from typing import Any

SHORTEST = 4  # a shorter one would hide innocent text
MASK = "•••"


class Redactor:
    """Replaces the values of secrets in what is stored."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: list[str] = []
        self.hide(secrets)

    def hide(self, secrets: Iterable[str]) -> None:
        """From now on these too."""
        known = {*self._secrets, *(value for value in secrets if len(value) >= SHORTEST)}
        self._secrets = sorted(known, key=len, reverse=True)

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def value(self, value: Any) -> Any:
        """The same for every text in a JSON value."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self.value(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def begun(self, text: str) -> int:
        """How many characters at the end may be the beginning of a secret whose rest is still to come."""
        most = min(len(text), max((len(secret) for secret in self._secrets), default=1) - 1)
        for length in range(most, 0, -1):
            if any(secret.startswith(text[-length:]) for secret in self._secrets):
                return length
        return 0
