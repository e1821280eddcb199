"""The specs application."""

from django.apps import AppConfig


class SpecsConfig(AppConfig):
    name = "specs"
    verbose_name = "Specs"
    default_auto_field = "django.db.models.BigAutoField"
