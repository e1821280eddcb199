"""ETags: nothing is sent twice, and nothing is changed that somebody else has changed meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from specs.models import Project
from tests.api.conftest import Call, caller
from tests.support import make
from workers.models import Node, Worker, patience

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


def test_of_two_who_change_the_same_state_one_is_told(operator: Client) -> None:
    path = f"/projects/{make.project().pk}"
    old = tag(caller(operator)("get", path))
    gate = threading.Barrier(4)

    def change(number: int) -> int:
        try:
            gate.wait(30)
            client = Client()
            client.cookies = operator.cookies
            with patience(60):
                return caller(client)("patch", path, {"review_command": f"make {number}"}, headers=old).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(change, range(4))) == [200, 412, 412, 412]
    assert Project.objects.get().review_command.startswith("make ")
