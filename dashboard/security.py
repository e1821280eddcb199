"""What browsers may load and run on our pages: only what comes from this site, nothing inline. And what errors show."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.debug import SafeExceptionReporterFilter

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",  # the ticks and chevrons of form controls
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


class ContentSecurityPolicy:
    """Adds the policy to every response, so that text from a log or a spec can never become a program."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


class HidesAlways(SafeExceptionReporterFilter):
    """Pages about errors hide what is marked as sensitive; those for developers as well."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True
