"""What the dashboard itself keeps: links that sign in once, tokens of programs, failed tries, and who has done what."""

from dashboard.models.api_token import ApiToken, Scope
from dashboard.models.audit_entry import AuditEntry, Source
from dashboard.models.failures import Failures
from dashboard.models.kept_answer import KeptAnswer
from dashboard.models.sign_in_link import SignInLink
from dashboard.models.webhook import DeliveryResult, Webhook, WebhookDelivery

__all__ = [
    "ApiToken",
    "AuditEntry",
    "DeliveryResult",
    "Failures",
    "KeptAnswer",
    "Scope",
    "SignInLink",
    "Source",
    "Webhook",
    "WebhookDelivery",
]
