"""Slows down whoever guesses passwords or tokens. In the database, so that it holds for all processes, without Redis.

django-axes was looked at: it counts after the check (so that tries at the same moment all pass), locks out for a fixed
time, keeps what was typed, and does not know tokens.

Counted are tries of an address, and of an account from an address; never of an account alone, or anybody could lock its
owner out. Each failure beyond the free ones doubles the wait.
"""

import hashlib
import math
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from dashboard.addresses import address_of, network_of
from dashboard.models import Failures

LONGEST_WAIT = timedelta(minutes=15)
FORGET_AFTER = timedelta(hours=1)  # since the last failure
KEEP_ROWS = timedelta(days=1)
NAME_LENGTH = 150


class Slowed(Exception):
    """Too many tries. `seconds` says after how many seconds another one is looked at."""

    def __init__(self, wait: timedelta) -> None:
        self.seconds = max(1, math.ceil(wait.total_seconds()))
        super().__init__(f"Too many tries that failed. Wait {_in_words(self.seconds)}, then try again.")


@dataclass(frozen=True)
class Counted:
    """Something whose tries are counted, and how many may fail before there is a wait."""

    key: str
    free: int


@dataclass(frozen=True)
class Tried:
    """A try that was counted, and until when there is a wait because of it."""

    counted: list[Counted]
    until: dict[str, datetime]


def _counted(free: int, *parts: str) -> Counted:
    return Counted(hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest(), free)


def passwords(request: HttpRequest, name: str) -> list[Counted]:
    """What a try to sign in counts for. Several people may share an address, so that has more free tries."""
    network, account = network_of(address_of(request)), unicodedata.normalize("NFKC", name[:NAME_LENGTH]).casefold()
    return [_counted(5, "account", account, network), _counted(20, "address", network)]


def tokens(request: HttpRequest) -> list[Counted]:
    """What a token that does not work counts for."""
    return [_counted(20, "tokens", network_of(address_of(request)))]


def count(all_counted: list[Counted]) -> Tried:
    """Count a try as failed, before it is looked at: of many at the same moment each counts. Raises Slowed.

    A refused try is not looked at and not counted. `forgive` takes back the one that was right.
    """
    Failures.objects.filter(last_at__lt=timezone.now() - KEEP_ROWS).delete()
    with transaction.atomic():
        now = timezone.now()
        rows = _locked(all_counted, now)
        wait = max(row.blocked_until for row in rows.values()) - now
        if wait <= timedelta():
            for counted in all_counted:
                _raise(rows[counted.key], counted.free, now)
            return Tried(all_counted, {row.key: row.blocked_until for row in rows.values()})
    raise Slowed(wait)


def forgive(tried: Tried) -> None:
    """The try was right: forget the failures of this account from this address, and one try of the address.

    The wait goes only where this try has caused it: or somebody with a password of their own could guess others'.
    """
    own, *others = tried.counted
    Failures.objects.filter(key=own.key).delete()
    with transaction.atomic():
        now = timezone.now()
        for row in _locked(others, now).values():
            row.count = max(row.count - 1, 0)
            row.blocked_until = now if row.blocked_until == tried.until[row.key] else row.blocked_until
            row.save(update_fields=["count", "blocked_until"])


def _locked(all_counted: list[Counted], now: datetime) -> dict[str, Failures]:
    """The rows, made where they are missing, locked in one order."""
    keys = sorted(counted.key for counted in all_counted)
    missing = [Failures(key=key, last_at=now, blocked_until=now) for key in keys]
    Failures.objects.bulk_create(missing, ignore_conflicts=True)
    return {row.key: row for row in Failures.objects.select_for_update().filter(key__in=keys).order_by("key")}


def _raise(row: Failures, free: int, now: datetime) -> None:
    row.count = row.count + 1 if now - row.last_at < FORGET_AFTER else 1
    row.last_at, row.blocked_until = now, now + _wait(row.count - free)
    row.save(update_fields=["count", "last_at", "blocked_until"])


def _wait(beyond: int) -> timedelta:
    """1 second after the first try beyond the free ones, then twice as long each time."""
    if beyond <= 0:
        return timedelta()
    return min(timedelta(seconds=2 ** min(beyond - 1, 30)), LONGEST_WAIT)


def _in_words(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} minute{'' if minutes == 1 else 's'}"
