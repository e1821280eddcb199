"""The address of the socket."""

from django.urls import path

from dashboard.live.consumers import LiveConsumer

websocket_urlpatterns = [path("live/socket", LiveConsumer.as_asgi())]
