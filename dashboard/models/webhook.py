"""Addresses to which events are sent, and what was sent."""

import secrets

from django.db import models
from django.db.models import Q
from django.utils import timezone

from dashboard.events import Wanted
from specs.fields import CleanCharField, CleanJSONField, CleanTextField
from specs.models import Project

URL_LENGTH = 2000
ERROR_LENGTH = 300
ANSWER_LENGTH = 1000  # characters that are kept of what a receiver answers


class DeliveryResult(models.TextChoices):
    """What has become of a delivery."""

    WAITING = "waiting", "Waiting"  # to be sent, or to be sent again
    DELIVERED = "delivered", "Delivered"  # the receiver has answered 2xx
    GIVEN_UP = "given_up", "Given up"  # not within the time, or tried once by hand in vain


class Webhook(models.Model):
    """An address that gets events. `cursor` is the number of the last event that was considered for it.

    `failures` counts attempts in a row; `holder` is the process that sends to it now.
    """

    url = CleanCharField(max_length=URL_LENGTH)
    secret = models.TextField(editable=False)  # encrypted; behind a space the one before it, once there was one
    old_secret_until = models.DateTimeField(null=True)  # until when the one before it signs as well
    kinds = CleanJSONField(default=list, blank=True)  # empty: all
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, blank=True, related_name="webhooks")
    active = models.BooleanField(default=True)
    created_by = CleanCharField(max_length=150, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    cursor = models.BigIntegerField(default=0)
    looked_at = models.DateTimeField(default=timezone.now)  # when the cursor was written last
    failures = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True)  # of the next attempt, after one that failed
    failing_since = models.DateTimeField(
        null=True
    )  # when a delivery was given up first, and none has come through since
    disabled_why = CleanCharField(max_length=ERROR_LENGTH, blank=True)  # when nobody has done it
    holder = models.CharField(max_length=32, blank=True)
    held_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ("pk",)
        constraints = [models.CheckConstraint(condition=~Q(url=""), name="webhook_has_an_address")]

    def __str__(self) -> str:
        return self.url

    @property
    def wanted(self) -> Wanted:
        """Which events it gets."""
        projects = frozenset([self.project_id] if self.project_id else [])
        return Wanted(kinds=frozenset(self.kinds), projects=projects)

    @property
    def has_old_secret(self) -> bool:
        """Whether the secret before this one signs as well."""
        return self.old_secret_until is not None and self.old_secret_until > timezone.now()

    @property
    def state(self) -> str:
        """working, retrying, failing or disabled."""
        if not self.active:
            return "disabled"
        return "failing" if self.failing_since else "retrying" if self.failures else "working"


def new_uid() -> str:
    """A name for a delivery, the same for all its attempts. Nothing in it is anybody's choice."""
    return f"msg_{secrets.token_hex(16)}"


class WebhookDelivery(models.Model):
    """One event on its way to one address."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    uid = models.CharField(max_length=40, unique=True, default=new_uid)
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=30)
    body = models.TextField()
    event_at = models.DateTimeField()
    result = models.CharField(max_length=10, choices=DeliveryResult.choices, default=DeliveryResult.WAITING)
    manual = models.BooleanField(default=False)  # somebody wants it sent now, once, whatever waits
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    last_at = models.DateTimeField(null=True)  # of the last attempt
    status_code = models.PositiveSmallIntegerField(null=True)
    error = CleanCharField(max_length=ERROR_LENGTH, blank=True)
    answer = CleanTextField(blank=True)

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "webhook deliveries"
        indexes = [models.Index(fields=("result",), condition=Q(result="waiting"), name="delivery_waiting")]
        constraints = [
            models.CheckConstraint(
                condition=Q(result__in=tuple(DeliveryResult.values)), name="delivery_result_is_known"
            ),
            models.UniqueConstraint(
                fields=("webhook",),
                condition=Q(result="waiting", manual=False),
                name="webhook_delivers_one_event_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.uid} ({self.kind} {self.seq})"
