"""The dashboard application."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
    verbose_name = "Dashboard"

    def ready(self) -> None:
        from dashboard import celery  # noqa: F401 - the first application made is the one that senders use
