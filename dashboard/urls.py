"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

from dashboard.health import healthz, metrics, readyz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("api/", include("dashboard.api.urls")),
    path("", include("dashboard.live.urls")),
    path("", include("dashboard.pages.urls")),
]
