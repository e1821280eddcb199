"""ETags: nothing is sent twice, and nothing is changed that somebody else has changed meanwhile."""

from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.models import Webhook
from queue_app import dispatch
from specs.models import Project
from tests.api.conftest import Call, Together, caller, statuses
from tests.support import make
from workers.models import Node, Worker

pytestmark = pytest.mark.django_db(transaction=True)


def tag(reply: HttpResponse) -> dict[str, str]:
    return {"If-Match": reply["ETag"]}


def test_what_has_not_changed_is_not_sent_again(call: Call, running: Worker) -> None:
    path = f"/workers/{running.pk}"
    first = call("get", path)
    again = call("get", path, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    running.request_pause("mira")
    changed = call("get", path, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_a_list_has_none(call: Call, running: Worker) -> None:
    for path in ("/workers", "/queue", f"/workers/{running.pk}/chunks"):
        assert "ETag" not in call("get", path)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("projects", {"review_command": "make"}),
        ("specs", {"priority": 7}),
        ("profiles", {"notes": "Better"}),
        ("queue", {"priority": 7}),
    ],
)
def test_only_what_was_read_is_changed(call: Call, node: Node, kind: str, change: Any) -> None:
    call("post", "/queue/pause")
    spec = make.spec()
    entry = call("post", "/queue", {"spec": spec.pk}).json()["id"]
    pk = {"projects": spec.project_id, "specs": spec.pk, "profiles": make.profile().pk, "queue": entry}[kind]
    path = f"/{kind}/{pk}"
    old = call("get", path)
    done = call("patch", path, change, headers=tag(old))
    assert done.status_code == 200, done.content
    assert done["ETag"] == call("get", path)["ETag"]
    for method, body in (("patch", change), ("delete", None)):
        late = call(method, path, body, headers=tag(old))
        assert (late.status_code, late["Content-Type"]) == (412, "application/problem+json")
    assert call("patch", path, change, headers={"If-Match": "*"}).status_code == 200


def test_the_settings_are_changed_only_as_they_were_read(call: Call, node: Node) -> None:
    old = call("get", "/settings")
    assert call("patch", "/settings", {"limit": 3}, headers=tag(old)).status_code == 200
    assert call("patch", "/settings", {"limit": 4}, headers=tag(old)).status_code == 412


def test_of_two_who_change_the_same_state_one_is_told(together: Together, operator: Client) -> None:
    path = f"/projects/{make.project().pk}"
    old = tag(caller(operator)("get", path))
    replies = together(lambda call, n: call("patch", path, {"review_command": f"make {n}"}, headers=old))
    assert statuses(replies) == [200, 412, 412, 412]
    assert Project.objects.get().review_command.startswith("make ")


def test_the_settings_are_changed_by_one_of_those_who_read_them(together: Together, operator: Client) -> None:
    old = tag(caller(operator)("get", "/settings"))
    replies = together(lambda call, n: call("patch", "/settings", {"limit": 10 + n}, headers=old))
    assert statuses(replies) == [200, 412, 412, 412]


def test_a_worker_is_removed_only_as_it_was_read(together: Together, operator: Client, running: Worker) -> None:
    path = f"/workers/{running.pk}"
    old = tag(caller(operator)("get", path))
    assert statuses(together(lambda call, _: call("delete", path, headers=old))) == [202, 412, 412, 412]


def test_a_condition_is_held_until_the_change_is_written(call: Call, full_yard: Worker) -> None:
    """Between the look at an entry and its removal nobody changes it."""
    entry = dispatch.enqueue(make.spec(), by="mira")
    path = f"/queue/{entry.pk}"
    old = tag(call("get", path))
    with CaptureQueriesContext(connection) as captured:
        assert call("delete", path, headers=old).status_code == 204
    statements = [query["sql"] for query in captured]
    begin = next(at for at, sql in enumerate(statements) if sql.startswith("BEGIN"))
    look = next(at for at, sql in enumerate(statements) if at > begin and sql.startswith("SELECT") and "COUNT" in sql)
    write = next(at for at, sql in enumerate(statements) if sql.startswith("DELETE"))
    assert begin < look < write
    assert not any(sql.startswith(("COMMIT", "ROLLBACK")) for sql in statements[begin:write])


def test_a_webhook_is_changed_only_as_it_was_read(admin: Client) -> None:
    call = caller(admin)
    path = call("post", "/webhooks", {"url": "http://127.0.0.1:9/"})["Location"].removeprefix("/api")
    old = call("get", path)
    Webhook.objects.update(cursor=4711)  # as with every event
    assert call("patch", path, {"active": False}, headers=tag(old)).status_code == 200
    for method, body in (("patch", {"active": True}), ("delete", None)):
        assert call(method, path, body, headers=tag(old)).status_code == 412
