"""Who may see and do what, for every address of the pages."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from dashboard import signin
from dashboard.pages.urls import urlpatterns

LISTS = ("workers", "queue", "specs", "projects", "profiles", "history")
BRANCHED = ("worker-changes", "worker-changes-count", "worker-changes-files", "worker-patch")
ARTIFACTS = ("attempt-artifacts", "artifact")
TALKING = ("worker-conversation", "attempt-conversation", "attempt-transcript")
OWN = ("account-tokens", "account-password")  # of every account
ADMINISTERING = ("accounts", "account", "audit", "webhooks", "webhook")
SECRETS = ("project-secrets", "profile-secrets")
LOOKING = (
    *OWN,
    *SECRETS,
    *ARTIFACTS,
    "home",
    *LISTS,
    *BRANCHED,
    *TALKING,
    "worker",
    "attempt-log",
    "attempt-download",
    "spec",
)
EDITORS = ("worker-discard", "spec-new", "spec-edit", "project-new", "project", "profile-new", "profile")
PAGES_TO_ACT = (*EDITORS, *ADMINISTERING)
ONLY_SECRETS = ("project-secret", "profile-secret")
ONLY_DELETED = ("queue-entry", *ONLY_SECRETS)
ACTIONS = {
    "post": (
        *("workers-pause", "workers-resume", "workers-stop"),
        *("worker-pause", "worker-resume", "worker-stop", "worker-requeue", "worker-retry"),
        *("worker-merge", "worker-discard", "worker-messages", "question-answer"),
        *("queue", "queue-pause", "queue-resume", "queue-limit", "queue-restore", "queue-move", "queue-priority"),
        *("spec-new", "spec-edit", "spec-run", "spec-run-in-background"),
        *("project-new", "project", "project-import", "profile-new", "profile", "demo"),
        *("accounts", "account-role", "account-set-password", "account-link", "account-deactivate", "account-activate"),
        *("webhooks", "webhook-test", "webhook-active", "webhook-rotate", "webhook-delete", "webhook-redeliver"),
    ),
    "delete": ("worker-pause", "queue-entry", "spec", "project", "profile", "webhook-active", *ONLY_SECRETS),
}
NOBODYS = 4711  # a number that no row has
OPEN_TO_ALL = ("sign-in", "sign-in-link", "sign-out")
ELSEWHERE = ("token-revoke", "audit-export")  # tests/accounts
NUMBERED = {pattern.name for pattern in urlpatterns if "<int:pk>" in str(pattern.pattern)}
EVERY_ACTION = [(method, name) for method, names in ACTIONS.items() for name in names]


def path_of(name: str) -> str:
    return reverse(name, args=[NOBODYS, *["KEY"] * (name in ONLY_SECRETS)]) if name in NUMBERED else reverse(name)


def test_every_address_is_covered_by_these_tests():
    covered = {*LOOKING, *PAGES_TO_ACT, *OPEN_TO_ALL, *ELSEWHERE, *(name for _, name in EVERY_ACTION)}
    assert covered == {pattern.name for pattern in urlpatterns}


@pytest.mark.parametrize("name", [*LOOKING, *PAGES_TO_ACT])
def test_nobody_sees_a_page_without_an_account(client, db, name):
    response = client.get(path_of(name))
    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in?next=")


@pytest.mark.parametrize("method, name", EVERY_ACTION)
def test_nobody_acts_without_an_account(client, db, method, name):
    response = getattr(client, method)(path_of(name), headers={"HX-Request": "true"})
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/sign-in"


@pytest.mark.parametrize("method, name", EVERY_ACTION)
def test_a_viewer_changes_nothing(viewer, method, name):
    assert getattr(viewer, method)(path_of(name)).status_code == 403


@pytest.mark.parametrize("name", PAGES_TO_ACT)
def test_a_viewer_sees_no_form(viewer, name):
    assert viewer.get(path_of(name)).status_code == 403


@pytest.mark.parametrize("name", LISTS)
def test_a_viewer_sees_the_lists(viewer, name):
    assert viewer.get(path_of(name)).status_code == 200


@pytest.mark.parametrize("name", sorted(NUMBERED))
def test_what_does_not_exist_is_not_found(admin, name):
    method = "get" if name in (*LOOKING, *PAGES_TO_ACT) else "delete" if name in ONLY_DELETED else "post"
    assert getattr(admin, method)(path_of(name)).status_code == 404


@pytest.mark.parametrize("name", [name for name in ACTIONS["post"] if name not in (*LOOKING, *PAGES_TO_ACT)])
def test_an_address_of_an_action_cannot_be_followed_like_a_link(operator, name):
    assert operator.get(path_of(name)).status_code == 405


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("name", ["workers", "worker-pause", "queue-entry", "spec", "history"])
def test_other_methods_are_refused(operator, method, name):
    assert getattr(operator, method)(path_of(name)).status_code == 405


def test_an_action_without_the_token_of_the_page_is_refused(db):
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))
    assert client.post("/queue/pause").status_code == 403
    client.get("/workers")
    token = client.cookies["specyard_csrf"].value
    assert client.post("/queue/pause", headers={"X-CSRFToken": token}).status_code == 302


def test_staff_are_operators(db):
    client = Client()
    client.force_login(User.objects.create_user("ines", is_staff=True))
    assert client.post("/queue/pause").status_code == 302


def test_an_account_that_was_closed_may_do_nothing(operator):
    User.objects.update(is_active=False)
    assert operator.get("/workers").status_code == 302


def test_the_page_carries_the_role_and_no_more(operator, viewer):
    assert 'data-role="operator"' in operator.get("/workers").content.decode()
    assert 'data-role="viewer"' in viewer.get("/workers").content.decode()


def test_signing_in_with_a_password(client, db):
    User.objects.create_user("mira", password="a-password")
    wrong = client.post("/sign-in", {"username": "mira", "password": "no"})
    assert wrong.status_code == 200
    assert "do not belong together" in wrong.content.decode()
    right = client.post("/sign-in", {"username": "mira", "password": "a-password", "next": "/history"})
    assert right["Location"] == "/history"


def test_signing_in_leads_to_this_site_only(client, db):
    User.objects.create_user("mira", password="a-password")
    form = {"username": "mira", "password": "a-password", "next": "https://evil.example/"}
    assert client.post("/sign-in", form)["Location"] == "/workers"


def test_a_sign_in_link_works_once(db):
    path = signin.create_link(User.objects.create_user("mira"))
    first, second = Client(), Client()
    assert first.post(path)["Location"] == "/workers"
    assert first.get("/workers").status_code == 200
    assert second.post(path)["Location"] == "/sign-in"
    assert second.get("/workers").status_code == 302
    assert "has been used or is too old" in second.get("/sign-in").content.decode()


def test_signing_out_needs_a_post(viewer):
    assert viewer.get("/sign-out").status_code == 405
    assert viewer.post("/sign-out")["Location"] == "/sign-in"
    assert viewer.get("/workers").status_code == 302


def test_a_worker_of_everybody_is_seen_by_a_viewer(viewer, running):
    assert viewer.get(f"/workers/{running.pk}").status_code == 200
    assert viewer.get(f"/specs/{running.spec_id}").status_code == 200


@pytest.mark.parametrize("path", ["/workers", "/sign-in", "/nowhere", "/static/js/live.js"])
def test_every_answer_forbids_what_does_not_come_from_this_site(viewer, path):
    response = viewer.get(path)
    policy = response["Content-Security-Policy"]
    response.close()
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_what_does_not_exist_is_explained(viewer):
    response = viewer.get("/workers/4711")
    assert response.status_code == 404
    assert "Go to the workers" in response.content.decode()


def test_a_viewer_reads_why_a_form_is_not_shown(viewer):
    assert "Only operators may do this" in viewer.get("/projects/new").content.decode()


@pytest.mark.parametrize("number", ["0", "9223372036854775808", "9" * 40])
@pytest.mark.parametrize("path", ["/workers/{}", "/specs/{}", "/attempts/{}/log", "/projects/{}", "/profiles/{}"])
def test_a_number_that_no_database_holds_is_not_found(operator, path, number):
    assert operator.get(path.format(number)).status_code == 404
