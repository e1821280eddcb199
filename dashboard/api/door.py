"""The way into the API, which is loaded when it is first called: an installation that idles without it is smaller."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

PREFIX = "/api/"


class Door:
    """Middleware: requests below /api/ have a table of addresses of their own.

    Whatever else refuses one (an unknown address, a wrong host) says it in the shape of the API's own refusals.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(PREFIX):
            return self.get_response(request)
        request.urlconf = "dashboard.urls_with_api"
        response = self.get_response(request)
        response.status_code = int(response.status_code)  # is an HTTPStatus here and there, and logged as such
        if response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        from dashboard.api.problems import in_shape

        return in_shape(response)
