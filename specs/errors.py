"""What can go wrong with projects and specs. None of these is cured by trying again unchanged."""

from collections.abc import Iterable


class SpecsError(Exception):
    """Something about this project or spec is not right."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class SpecInvalid(SpecsError):
    """The input is refused and nothing was stored.

    `errors` lists (field path, message), for example ("chunks[2].executor", '"agnt" is not an executor …').
    """

    def __init__(self, errors: Iterable[tuple[str, str]]) -> None:
        self.errors = list(errors)
        super().__init__("\n".join(f"{path}: {message}" if path else message for path, message in self.errors))


class SpecInUse(SpecsError):
    """A run or a queue entry still needs this spec."""


class ProjectInUse(SpecsError):
    """A run or a queue entry still needs a spec of this project."""


class ProfileMissing(SpecsError):
    """There is no agent profile of that name, or it cannot be started as it is."""


class SecretUnreadable(SpecsError):
    """A secret cannot be decrypted with the keys that are here."""


class KeyUnusable(SecretUnreadable):
    """The key of the secrets is missing, or is none."""


class ProfileInUse(SpecsError):
    """A project, a spec or a run needs this agent profile."""
