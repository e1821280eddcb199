"""The regions of the page about agent profiles that change while somebody looks. See `fragments`."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from django.conf import settings
from django.utils import timezone

from dashboard.pages.fragments import Fragment
from dashboard.pages.words import Look
from queue_app.sessions import in_use
from specs import profiles
from specs.agents import AgentProfile
from specs.profiles import Detected
from workers.models import Node
from workers.models.counted import COUNTED
from workers.models.usage import Usage, usage_by_day
from workers.states import NodeStatus

USAGE_DAYS = 14
MOST_NAMED = 4  # machines
INSTALLED = Look("Installed", "completed", "accent")
MISSING = Look("Not installed", "attention", "warn")
INSTALLED_HERE = Look("Installed here", "completed", "accent")
MISSING_HERE = Look("Not installed here", "info", "mute")  # nobody knows whether that matters
UNSET = Look("No command", "skipped", "mute")


@dataclass(frozen=True)
class Row:
    """A profile, whether this machine has its program, and how many workers use it."""

    profile: AgentProfile
    detected: Detected
    used: int
    elsewhere: list[str]  # other machines, on which nobody has looked

    @property
    def look(self) -> Look:
        if not self.profile.command:
            return UNSET
        if self.elsewhere:
            return INSTALLED_HERE if self.detected.found else MISSING_HERE
        return INSTALLED if self.detected.found else MISSING

    @property
    def is_full(self) -> bool:
        limit = self.profile.max_sessions
        return limit is not None and self.used >= limit

    @property
    def is_usual(self) -> bool:
        """Whether it is taken where neither chunk nor project names one."""
        return self.profile.name == profiles.DEFAULT


@dataclass(frozen=True)
class Used:
    """What was used by day, newest first, and altogether."""

    days: dict[date, list[Usage]]
    total: Usage


def profile_list() -> Fragment:
    """All profiles: how each starts its agent, what it may do, and whether it can be started here."""
    used, here = in_use(), settings.SPECYARD.node_name
    nodes = list(Node.objects.exclude(status=NodeStatus.OFFLINE).values_list("name", flat=True))
    elsewhere = [name for name in nodes if name != here]
    rows = [
        Row(profile, profiles.detect(profile), used[profile.name], elsewhere)
        for profile in AgentProfile.objects.prefetch_related("secrets")
    ]
    rows.sort(key=lambda row: (not row.is_usual, not row.detected.found, not row.profile.command, row.profile.name))
    context = {"rows": rows, "here": here, "works_here": here in nodes, "elsewhere": elsewhere[:MOST_NAMED]}
    context["more"] = len(elsewhere[MOST_NAMED:])
    return Fragment("profile-list", "profiles/_list.html", context)


def profile_usage() -> Fragment:
    """Tokens and cost by profile and day."""
    return Fragment("profile-usage", "profiles/_usage.html", {"usage": usage(timezone.now()), "span": USAGE_DAYS})


def usage(now: datetime) -> Used:
    """What the attempts of the last days used, today included, counted on the day on which each began (UTC)."""
    first = (now - timedelta(days=USAGE_DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = usage_by_day(first)
    days = {day: list(found) for day, found in groupby(rows, key=lambda row: row.day)}
    sums: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in ("attempts", *COUNTED)}
    return Used(days, Usage(first.date(), "", **sums))
