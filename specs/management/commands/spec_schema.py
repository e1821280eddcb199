"""Prints the JSON Schema of the native spec format; docs/spec.schema.json is its output."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from specs.importers import native


class Command(BaseCommand):
    help = "Print the JSON Schema of the native spec format."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(json.dumps(native.json_schema(), indent=2, ensure_ascii=False))
