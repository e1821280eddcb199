"""What all pages share: the frame around them, and the replies to actions."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import mark_safe

from dashboard import access
from dashboard.pages import fragments
from dashboard.pages.fragments import Fragment
from queue_app.errors import BadValue
from specs.errors import SpecsError
from workers.errors import WorkerError

THEMES = (("system", "System"), ("light", "Light"), ("dark", "Dark"))
SECTIONS = (("specs", "Specs"), ("projects", "Projects"), ("profiles", "Profiles"), ("history", "History"))


def show(
    request: HttpRequest,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    section: str = "",
    topic: str = "",
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """A whole page. `topic` says which regions the live connection keeps up to date."""
    frame = {
        "nav": fragments.nav(),
        "status_line": fragments.status_line(),
        "sections": SECTIONS,
        "themes": THEMES,
        "section": section,
        "topic": topic,
        "role": access.role(request.user),
        "initials": request.user.get_username()[:2].upper(),
    }
    return render(request, template, {**frame, **(context or {})}, status=status)


def done(request: HttpRequest, *changed: Fragment, said: str = "", to: str = "workers") -> HttpResponse:
    """The reply to an action: the changed regions and a toast; without htmx, back to a page."""
    if not request.headers.get("HX-Request"):
        if said:
            messages.success(request, said)
        return redirect(to)
    partials = [fragment.partial() for fragment in changed]
    if said:
        partials.append(toast(said))
    return HttpResponse("\n".join(partials))


def go(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser to another page after an action."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return redirect(url)


def refused(request: HttpRequest, text: str, status: int = HTTPStatus.CONFLICT) -> HttpResponse:
    """The reply to an action that was refused: the reason, and nothing has changed."""
    if request.headers.get("HX-Request"):
        return HttpResponse(toast(text, tone="error"), status=status)
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


def toast(text: str, tone: str = "success") -> str:
    """A partial that adds a toast to the page."""
    html = render_to_string("_toast.html", {"text": text, "tone": tone}).strip()
    return format_html('<hx-partial hx-target="#toasts" hx-swap="beforeend">{}</hx-partial>', mark_safe(html))


def explains_refusals(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Turns the errors of verbs into replies: 400 for a bad value, 409 for what is not possible now."""

    @wraps(view)
    def explaining(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except BadValue as error:
            return refused(request, str(error), HTTPStatus.BAD_REQUEST)
        except (WorkerError, SpecsError) as error:
            return refused(request, str(error))

    return explaining


def number(request: HttpRequest, name: str) -> int | None:
    """A whole number of the form, None when it is absent. Raises BadValue."""
    text = request.POST.get(name)
    if text is None or text == "":
        return None
    try:
        if len(text) > 18:
            raise ValueError
        return int(text)
    except ValueError:
        raise BadValue(f"{name}: “{text[:40]}” is not a whole number.") from None
