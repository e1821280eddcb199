"""How much one caller may ask of the API."""

import threading
import time
from collections import OrderedDict

from django.conf import settings
from django.http import HttpRequest
from ninja.throttling import BaseThrottle

MINUTE = 60.0
MOST_CALLERS = 10_000  # that are remembered


class PerCaller(BaseThrottle):
    """A minute's requests at once, then as many as the rate gives; per account or token, in this process.

    The generic cell rate algorithm: one number per caller, the moment at which all that it has asked would be spent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent_at: OrderedDict[str, float] = OrderedDict()
        self._here = threading.local()

    def allow_request(self, request: HttpRequest) -> bool:
        """Whether the caller may ask now; counted when it may."""
        rate = settings.SPECYARD.api_requests_per_minute
        if not rate:
            return True
        caller, now = self._caller(request), time.monotonic()
        with self._lock:
            spent_at = max(self._spent_at.get(caller, now), now) + MINUTE / rate
            self._here.wait = spent_at - now - MINUTE
            if self._here.wait > 0:
                return False
            self._spent_at[caller] = spent_at
            self._spent_at.move_to_end(caller)
            if len(self._spent_at) > MOST_CALLERS:
                self._spent_at.popitem(last=False)
        return True

    def wait(self) -> float | None:
        """Seconds until the request that was refused last in this thread is allowed."""
        return float(self._here.wait)

    def _caller(self, request: HttpRequest) -> str:
        token = getattr(request.user, "token", None)
        return f"token {token.pk}" if token is not None else f"user {request.user.pk}"
