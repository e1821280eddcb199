"""The look of the dashboard: the Tailwind sources in `static_src`, built into `static/css/app.css`."""

from django.apps import AppConfig


class ThemeConfig(AppConfig):
    name = "dashboard.theme"
    verbose_name = "Theme"
