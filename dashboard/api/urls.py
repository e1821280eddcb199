"""The addresses of the API."""

from django.urls import path

from dashboard.api.application import api, documentation, unknown

urlpatterns = [
    path("docs", documentation, name="api-docs"),
    path("", api.urls),
    path("<path:path>", unknown, name="api-unknown"),
]
