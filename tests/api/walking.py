"""The operations of the API, from its own document."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dashboard.api.application import api

ADMINISTRATORS_ONLY = {
    "drain_node",
    "resume_node",
    "list_audit_entries",
    "export_audit_entries",
    "list_accounts",
    "create_account",
    "get_account",
    "update_account",
    "set_account_password",
    "create_sign_in_link",
    "set_profile_secret",
    "delete_profile_secret",
    "set_project_secret",
    "delete_project_secret",
    "list_webhooks",
    "create_webhook",
    "get_webhook",
    "update_webhook",
    "delete_webhook",
    "rotate_webhook_secret",
    "send_webhook_test",
    "list_deliveries",
    "redeliver",
}
OWN_AFFAIRS = {"create_token", "revoke_token", "set_own_password"}  # which everybody may do for themselves
CHANGING = {"post", "put", "patch", "delete"}


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    method: str
    path: str  # as the document has it: /api/workers/{id}
    content: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.content["operationId"])

    @property
    def is_for_administrators(self) -> bool:
        return self.name in ADMINISTRATORS_ONLY

    @property
    def changes(self) -> bool:
        """Whether it needs more than looking."""
        return self.method in CHANGING and self.name not in OWN_AFFAIRS

    def at(self, number: int = 4711) -> str:
        """Its address for one object, below /api."""
        return re.sub(r"\{\w+\}", str(number), self.path.removeprefix("/api"))

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


def operations() -> Iterator[Operation]:
    """Every operation of the document."""
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method, content in methods.items():
            yield Operation(method, path, content)
