"""Who calls the API. What they may do is decided by `dashboard.access`, as for the pages."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from ninja.security import SessionAuth

from dashboard import access


class Session(SessionAuth):
    """The sign-in of a browser. Whoever changes something sends the token of the page (X-CSRFToken), too."""

    def __init__(self, *, to_act: bool) -> None:
        super().__init__()
        self.to_act = to_act

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        user = super().authenticate(request, key)
        if user is not None and self.to_act and not access.may_act(user):
            raise PermissionDenied
        return user


LOOKING = [Session(to_act=False)]
ACTING = [Session(to_act=True)]
