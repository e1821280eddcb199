"""`python manage.py event_document`: writes docs/events.schema.json and the tables of docs/events.md anew."""

from typing import Any

from django.core.management.base import BaseCommand

from dashboard.events import document


class Command(BaseCommand):
    help = "Write docs/events.schema.json and the tables of docs/events.md anew from the code."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Write them."""
        document.write()
