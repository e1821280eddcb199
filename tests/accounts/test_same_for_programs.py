"""Whatever somebody does on a page, a program does by an operation of the API, for which the same role is needed."""

from http import HTTPStatus

import pytest
from django.test import Client

from tests.accounts.recipes import PAGES
from tests.accounts.test_every_action import operations
from tests.accounts.test_every_role import FOR_ADMINS
from tests.pages.test_access import NOBODYS, path_of
from tests.support import make

SAME: dict[tuple[str, str], str] = {  # what a page does: what a program does
    ("POST", "workers-pause"): "act_on_workers",
    ("POST", "workers-resume"): "act_on_workers",
    ("POST", "workers-stop"): "act_on_workers",
    ("POST", "worker-pause"): "pause_worker",
    ("DELETE", "worker-pause"): "resume_worker",
    ("POST", "worker-resume"): "resume_worker",
    ("POST", "worker-stop"): "stop_worker",
    ("DELETE", "worker"): "delete_worker",
    ("POST", "worker-requeue"): "requeue_worker",
    ("POST", "worker-retry"): "retry_worker",
    ("POST", "worker-merge"): "merge",
    ("POST", "worker-discard"): "discard",
    ("POST", "worker-messages"): "send_message",
    ("POST", "question-answer"): "answer_question",
    ("POST", "queue"): "create_entry",
    ("POST", "queue-pause"): "pause_queue",
    ("POST", "queue-resume"): "resume_queue",
    ("POST", "queue-limit"): "update_settings",
    ("POST", "queue-restore"): "create_entry",  # then reorder_queue
    ("DELETE", "queue-entry"): "delete_entry",
    ("POST", "queue-move"): "reorder_queue",
    ("POST", "queue-priority"): "update_entry",
    ("DELETE", "spec"): "delete_spec",
    ("POST", "spec-new"): "import_spec",
    ("POST", "spec-edit"): "import_spec",
    ("POST", "spec-run"): "create_worker",
    ("POST", "spec-run-in-background"): "create_worker",
    ("POST", "project-new"): "create_project",
    ("POST", "project-import"): "import_folder",
    ("POST", "project"): "update_project",
    ("DELETE", "project"): "delete_project",
    ("POST", "profile-new"): "create_profile",
    ("POST", "profile"): "update_profile",
    ("DELETE", "profile"): "delete_profile",
    ("POST", "project-secrets"): "set_project_secret",
    ("POST", "profile-secrets"): "set_profile_secret",
    ("DELETE", "project-secret"): "delete_project_secret",
    ("DELETE", "profile-secret"): "delete_profile_secret",
    ("POST", "demo"): "create_demo",
    ("POST", "account-password"): "set_own_password",
    ("POST", "account-tokens"): "create_token",
    ("POST", "token-revoke"): "revoke_token",
    ("DELETE", "token-revoke"): "revoke_token",
    ("POST", "accounts"): "create_account",
    ("POST", "account-role"): "update_account",
    ("POST", "account-set-password"): "set_account_password",
    ("POST", "account-link"): "create_sign_in_link",
    ("POST", "account-deactivate"): "update_account",
    ("POST", "account-activate"): "update_account",
    ("POST", "webhooks"): "create_webhook",
    ("POST", "webhook-test"): "send_webhook_test",
    ("POST", "webhook-active"): "update_webhook",
    ("DELETE", "webhook-active"): "update_webhook",
    ("POST", "webhook-rotate"): "rotate_webhook_secret",
    ("POST", "webhook-delete"): "delete_webhook",
    ("POST", "webhook-redeliver"): "redeliver",
}
SIGNING_IN = {"sign-in", "sign-in-link", "sign-out"}  # a program sends its token with each request


def test_there_is_an_operation_for_whatever_a_page_does() -> None:
    known = {name for _, name in operations()}
    assert {page for page in PAGES if page[1] not in SIGNING_IN} == set(SAME), "say which operation does the same"
    assert set(SAME.values()) <= known


@pytest.mark.django_db
@pytest.mark.parametrize("page", sorted(SAME), ids=" ".join)
def test_administrators_are_needed_for_both_or_for_neither(page: tuple[str, str], operator: Client) -> None:
    make.project(id=NOBODYS)  # secrets are refused to operators once it is known whose they are
    make.profile(id=NOBODYS)
    method, name = page
    refused = getattr(operator, method.lower())(path_of(name)).status_code == HTTPStatus.FORBIDDEN
    assert refused == (FOR_ADMINS.fullmatch(SAME[page]) is not None)
