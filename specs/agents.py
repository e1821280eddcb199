"""Agent profiles: how a coding agent is started, what it may do, and for how long."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from specs import limits
from specs.fields import CleanCharField, CleanJSONField, CleanTextField, valid_name


class Permission(models.TextChoices):
    """Who answers when an agent asks whether it may do something."""

    ASK = "ask", "Ask a person"  # every request waits on the worker's page
    LISTED = "listed", "Allow listed tools"  # those of `allowed_tools` are allowed, the others wait for a person
    ALLOW = "allow", "Allow everything"  # each is allowed at once


def _seconds(default: int, shortest: int, help_text: str) -> Any:
    validators = [MinValueValidator(shortest), MaxValueValidator(limits.TIMEOUT_LONGEST)]
    return models.PositiveIntegerField(default=default, validators=validators, help_text=help_text)


class AgentProfile(models.Model):
    """An agent that speaks the Agent Client Protocol over its standard input and output.

    Its `secrets` (specs.secrets) are variables of its environment whose values no page, log or answer ever shows.
    Each of `login_files` is `VARIABLE/path`, such as `XDG_DATA_HOME/opencode/auth.json`: a file below the user's own
    directory of that name (whether or not the variable is set), that every worker's own directory links to.
    """

    name = CleanCharField(max_length=limits.NAME_LENGTH, unique=True, validators=[valid_name])
    title = CleanCharField(max_length=limits.TITLE_LENGTH)
    command = CleanCharField(
        max_length=limits.PATH_LENGTH, blank=True, default="", help_text="A program on PATH, or its absolute path."
    )
    arguments = CleanJSONField(blank=True, default=list, help_text="A list of texts.")
    environment = CleanJSONField(blank=True, default=dict)
    model = CleanCharField(
        max_length=limits.TITLE_LENGTH,
        blank=True,
        default="",
        help_text="As the agent names it; empty: its own choice.",
    )
    mode = CleanCharField(
        max_length=limits.TITLE_LENGTH,
        blank=True,
        default="",
        help_text="As the agent names it; empty: its own choice.",
    )
    permission = CleanCharField(max_length=10, choices=Permission.choices, default=Permission.ASK)
    allowed_tools = CleanJSONField(
        blank=True, default=list, help_text="Tools that are allowed when the policy says so."
    )
    max_sessions = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(limits.SESSIONS_MOST)],
        help_text="How many workers may use it at once; empty: no limit of its own.",
    )
    handshake_seconds = _seconds(60, limits.SECONDS_SHORTEST, "How long it may take to answer at its start.")
    silence_seconds = _seconds(600, limits.SECONDS_SHORTEST, "How long it may say nothing in the middle of its work.")
    wall_seconds = _seconds(1800, limits.TIMEOUT_SHORTEST, "The longest attempt; a chunk may give a shorter time.")
    login_files = CleanJSONField(blank=True, default=list, help_text="For example XDG_DATA_HOME/opencode/auth.json.")
    install_hint = CleanCharField(
        max_length=limits.ITEM_LENGTH, blank=True, default="", help_text="The command that installs it."
    )
    notes = CleanTextField(blank=True, default="", help_text="For people: how to sign in, which models there are.")
    is_shipped = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(name="profile_has_a_name", condition=~Q(name="")),
            models.CheckConstraint(name="profile_has_a_title", condition=~Q(title="")),
            models.CheckConstraint(
                name="profile_permission_is_known", condition=Q(permission__in=("ask", "listed", "allow"))
            ),
            models.CheckConstraint(
                name="profile_limit_is_1_to_1000_or_none",
                condition=Q(max_sessions__isnull=True) | Q(max_sessions__gte=1, max_sessions__lte=limits.SESSIONS_MOST),
            ),
            models.CheckConstraint(
                name="profile_times_are_1_second_to_24_hours",
                condition=Q(
                    handshake_seconds__gte=limits.SECONDS_SHORTEST,
                    handshake_seconds__lte=limits.TIMEOUT_LONGEST,
                    silence_seconds__gte=limits.SECONDS_SHORTEST,
                    silence_seconds__lte=limits.TIMEOUT_LONGEST,
                    wall_seconds__gte=limits.TIMEOUT_SHORTEST,
                    wall_seconds__lte=limits.TIMEOUT_LONGEST,
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def secret_names(self) -> list[str]:
        """The names of its secrets: all that is ever shown of them."""
        return sorted(secret.name for secret in self.secrets.all()) if self.pk else []
