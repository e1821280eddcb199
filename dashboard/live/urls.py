"""The address of the fallback."""

from django.urls import path

from dashboard.live.poll import poll

urlpatterns = [path("live/poll", poll, name="live-poll")]
