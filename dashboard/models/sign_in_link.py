"""Links that sign in once."""

from django.conf import settings
from django.db import models


class SignInLink(models.Model):
    """A link that signs its user in, once and before it expires. Only a digest of its token is stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sign_in_links")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Sign-in link of {self.user}, until {self.expires_at:%Y-%m-%d %H:%M} UTC"
