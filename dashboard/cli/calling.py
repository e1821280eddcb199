"""The API as the commands call it. Whether it is called in this process or over HTTP, they cannot tell."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from dashboard.cli import exits
from dashboard.cli.refusal import Refused
from dashboard.cli.words import visible

PAGE = 200  # items of one page, the most that the API gives
Query = Mapping[str, Any]


class Problem(Refused):
    """What the API has refused, with its problem detail."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(visible(str(problem.get("detail") or problem.get("title") or f"The API answered {status}.")))
        self._problem = problem
        self.exit_code = exits.of_status(status)  # type: ignore[misc]  # click has it for the class

    @property
    def problem(self) -> dict[str, Any]:
        """As the API has sent it."""
        return self._problem


class Api(ABC):
    """Calls operations of the API."""

    where = ""  # the address of the server; empty in this process

    @abstractmethod
    def exchange(self, method: str, path: str, query: Query, body: Any) -> tuple[int, Any]:
        """The status and the body, None when it is empty, that a call answers. Raises Refused."""

    def call(self, method: str, path: str, query: Query | None = None, body: Any = None) -> Any:
        """The body that a call answers. `path` begins behind /api. Raises Problem, or another Refused."""
        status, answer = self.exchange(method, path, query or {}, body)
        if status >= HTTPStatus.BAD_REQUEST:
            raise Problem(status, answer if isinstance(answer, dict) else {})
        return answer

    def get(self, path: str, **query: Any) -> Any:
        """What there is at an address."""
        return self.call("GET", path, query)

    def post(self, path: str, body: Any = None) -> Any:
        """What a call with this body answers."""
        return self.call("POST", path, body=body)

    def items(self, path: str, limit: int | None = None, **query: Any) -> dict[str, Any]:
        """A list page by page up to the limit, all of it without one, as one page: {"items", "next"}."""
        found: list[Any] = []
        after: str | None = ""
        while after is not None and (limit is None or len(found) < limit):
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            page = self.get(path, limit=size, **({"after": after} if after else {}), **query)
            found += page["items"]
            after = page["next"]
        return {"items": found, "next": after}
