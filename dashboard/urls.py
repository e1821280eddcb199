"""Every address of the site but those of the API (dashboard/urls_with_api.py)."""

from django.contrib import admin
from django.urls import include, path

from dashboard.health import healthz, metrics, readyz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("", include("dashboard.live.urls")),
    path("", include("dashboard.pages.urls")),
]
