"""Every address of the site, with those of the API. Requests below /api/ are answered by it (dashboard/api/door.py)."""

from django.urls import include, path

from dashboard import urls

urlpatterns = [path("api/", include("dashboard.api.urls")), *urls.urlpatterns]
