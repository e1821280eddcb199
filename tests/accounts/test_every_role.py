"""Every operation of the API, tried as each role and with tokens that do not work."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard import tokens
from dashboard.api.application import api
from dashboard.models import ApiToken, AuditEntry
from tests.accounts.conftest import account, program, token_of

pytestmark = pytest.mark.django_db
NOBODYS = 4711  # a number that no row has
# What every account may do to what is its own.
OWN = {"create_token", "revoke_token"}
IN_PERSON = {"set_own_password"}  # which no token does
FOR_ADMINS = re.compile(
    r"(list|export)_audit_entries|(list|create|get|update)_accounts?|set_account_password|create_sign_in_link|drain_node|resume_node|(set|delete)_\w+_secret|\w*webhook\w*|list_deliveries|redeliver"
)
BODIES = {"create_token": {"name": "one"}}


def operations() -> dict[str, tuple[str, str]]:
    """Name: method and path of everything in the API."""
    found = {
        operation.view_func.__name__: (operation.methods[0].lower(), prefix.rstrip("/") + path)
        for prefix, router in api._routers
        for path, view in router.path_operations.items()
        for operation in view.operations
    }
    return {name: (method, re.sub(r"\{[^}]*\}", str(NOBODYS), path)) for name, (method, path) in found.items()}


EVERY = sorted(operations())


@pytest.fixture
def bad(db: None) -> dict[str, str]:
    """Secrets that do not work, by what is wrong with them."""
    owner, closed = account("owner", "admin"), account("closed", "admin")
    found = {how: token_of(owner, "admin") for how in ("expired", "revoked")}
    found |= {"closed": token_of(closed, "admin"), "foreign": "specyard_" + "a" * 43}
    ApiToken.objects.filter(digest=tokens.digest(found["expired"])).update(expires_at=timezone.now() - timedelta(1))
    tokens.revoke(ApiToken.objects.get(digest=tokens.digest(found["revoked"])))
    User.objects.filter(pk=closed.pk).update(is_active=False)
    return found


def tried(secret: str, name: str) -> int:
    method, path = operations()[name]
    body = BODIES.get(name, {}) if method in ("post", "put", "patch") else None
    return program(secret)(method, path, body).status_code


@pytest.mark.parametrize("name", EVERY)
def test_no_operation_takes_a_token_that_does_not_work(name: str, bad: dict[str, str]) -> None:
    before = set(AuditEntry.objects.values_list("pk", flat=True))
    assert {how: tried(secret, name) for how, secret in bad.items()} == dict.fromkeys(bad, 401)
    made = AuditEntry.objects.exclude(pk__in=before)
    assert set(made.values_list("action", flat=True)) == {"token.refuse"}


def test_what_is_for_administrators_exists() -> None:
    assert set(EVERY) >= {"list_audit_entries", "drain_node", *OWN}


@pytest.mark.parametrize("name", EVERY)
def test_viewers_change_nothing_and_operators_administer_nothing(name: str, db: None) -> None:
    method, _ = operations()[name]
    administers = FOR_ADMINS.fullmatch(name) is not None
    may = {"viewer": method == "get" and not administers, "operator": not administers, "admin": True}
    scopes = {"viewer": "read", "operator": "act", "admin": "admin"}
    if name in OWN:
        may |= {"viewer": False, "operator": False}  # by these tokens; people who have signed in may
    if name in IN_PERSON:
        may = dict.fromkeys(may, False)
    secrets = {role: token_of(account(role, role), scope) for role, scope in scopes.items()}
    before = AuditEntry.objects.count()
    found = {role: tried(secret, name) for role, secret in secrets.items()}
    assert {role: status != 403 for role, status in found.items()} == may, found
    assert all(status < 500 for status in found.values()), found
    if not any(status < 300 for status in found.values()):
        assert AuditEntry.objects.count() == before
