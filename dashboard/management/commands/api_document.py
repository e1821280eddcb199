"""`python manage.py api_document`: writes docs/openapi.json anew."""

from typing import Any

from django.core.management.base import BaseCommand

from dashboard.api import document


class Command(BaseCommand):
    help = "Write docs/openapi.json anew from the code."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Write it."""
        document.FILE.write_text(document.text(), encoding="utf-8")
