"""What requests with an Idempotency-Key were answered."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class KeptAnswer(models.Model):
    """One key of one account: under way until it has a code, then what is answered to every repetition."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    request = models.CharField(max_length=64)  # a digest of what was asked
    begun_at = models.DateTimeField(db_index=True)
    code = models.PositiveSmallIntegerField(null=True)  # the status of HTTP
    headers = models.JSONField(default=dict)
    body = models.BinaryField(null=True)  # None also where the answer held a secret

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("user", "key"), name="key_is_unique_per_account"),
            models.CheckConstraint(condition=~Q(key=""), name="kept_answer_has_a_key"),
        ]

    def __str__(self) -> str:
        return f"{self.key} of {self.user_id}"
