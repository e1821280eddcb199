"""One's own API tokens: the list, a new one whose secret is shown once, and revoking."""

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache

from dashboard import access, tokens
from dashboard.models import ApiToken, Scope
from dashboard.pages.page import go, number, show
from queue_app.errors import BadValue

FOR_EVER = "0"  # what the form sends for a token that does not expire
SPANS = ((7, "7 days"), (30, "30 days"), (tokens.USUAL_DAYS, "90 days"), (tokens.MOST_DAYS, "1 year"))


@never_cache
@access.looking("GET", "HEAD", "POST")
def index(request: HttpRequest) -> HttpResponse:
    """GET: the list with a form. POST: make one, and show its secret, here and nowhere else."""
    form = {"name": "", "scope": Scope.READ.value, "expires_in_days": str(tokens.USUAL_DAYS)}
    if request.method != "POST":
        return _page(request, form)
    form = {name: request.POST.get(name, usual) for name, usual in form.items()}
    try:
        days = None if form["expires_in_days"] == FOR_EVER else number(request, "expires_in_days")
        _, secret = tokens.create(access.account_of(request), form["name"], form["scope"], days)
    except BadValue as error:
        return _page(request, form, error=str(error))
    return _page(request, secret=secret, made=form["name"])


def _page(
    request: HttpRequest, form: dict[str, str] | None = None, *, error: str = "", secret: str = "", made: str = ""
) -> HttpResponse:
    role = access.role(request.user)
    spans = [*((str(days), word) for days, word in SPANS), *([(FOR_EVER, "Never")] if role == access.ADMINS else [])]
    field, _, why = error.partition(": ")
    context = {
        "tokens": ApiToken.objects.filter(user=access.account_of(request)),
        "form": form or {"scope": Scope.READ.value, "expires_in_days": str(tokens.USUAL_DAYS)},
        "scopes": [(scope, Scope(scope).label) for scope in tokens.offered(role)],
        "spans": spans,
        "errors": {field: why} if error else {},
        "secret": secret,
        "made": made,
    }
    status = HTTPStatus.BAD_REQUEST if error else HTTPStatus.OK
    return show(request, "tokens/index.html", context, section="account", status=status)


@access.looking("POST", "DELETE")
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke one: one's own, or as an administrator anybody's."""
    token = access.get_token(request.user, pk)
    tokens.revoke(token)
    messages.success(request, f"Revoked {token.name}")
    own = token.user_id == request.user.pk
    return go(request, reverse("account-tokens") if own else reverse("account", args=[token.user_id]))
