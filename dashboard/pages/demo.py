"""The demo, for the first page of an empty yard."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from dashboard import access, demo
from dashboard.pages.page import go, refused
from dashboard.pages.words import count


@access.acting()
def create(request: HttpRequest) -> HttpResponse:
    """Make the repositories, import their specs, and show these; what is there already stays as it is."""
    try:
        made = demo.set_up(settings.SPECYARD.data / "demo")
    except demo.DemoRefused as refusal:
        return refused(request, str(refusal))
    said = f"The demo is ready: {count(len(made.specs), 'spec')}. Run them in the background, one after the other"
    messages.success(request, said if made.is_new else "The demo was there already; nothing has changed")
    return go(request, reverse("specs"))
