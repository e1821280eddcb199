"""Specs, projects and profiles, for programs."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from queue_app import dispatch
from specs.models import AgentProfile, Project, Spec
from tests.api.conftest import Call, caller
from tests.support import make
from workers.models import Node

pytestmark = pytest.mark.django_db
CHUNKS = [{"title": "One", "params": {"run": "true"}}, {"key": "two", "title": "Two", "params": {"run": "false"}}]


def body(project: Project, **fields: Any) -> dict[str, Any]:
    return {"project": project.pk, "title": "Tidy up", "chunks": CHUNKS, **fields}


def fields(reply: Any) -> list[str]:
    assert reply.status_code == 422, reply.content
    return [error["field"] for error in reply.json()["errors"]]


def test_a_spec_is_written_and_read(call: Call) -> None:
    reply = call("post", "/specs", body(make.project(), priority=3))
    assert reply.status_code == 201, reply.content
    shown = reply.json()
    assert (shown["key"], shown["title"], shown["priority"]) == ("tidy-up", "Tidy up", 3)
    assert [(chunk["ordinal"], chunk["key"], chunk["executor"]) for chunk in shown["chunks"]] == [
        (1, "c1", "command"),
        (2, "two", "command"),
    ]
    assert call("get", reply["Location"].removeprefix("/api")).json() == shown
    assert call("get", f"/specs/{shown['id']}/chunks").json() == shown["chunks"]


def test_a_key_is_taken_once(call: Call) -> None:
    project = make.project()
    call("post", "/specs", body(project, key="tidy"))
    assert fields(call("post", "/specs", body(project, key="tidy"))) == ["key"]
    assert call("post", "/specs", body(make.project(), key="tidy")).status_code == 201


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": 7}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"key": "../etc"}, "key"),
        ({"project": 4711}, "project"),
        ({"priority": 10**30}, "priority"),
        ({"chunks": []}, "chunks"),
        ({"chunks": [{"title": "a", "executor": "nonsense"}]}, "chunks.0.executor"),
        ({"chunks": [{"title": "a", "params": {}}]}, "chunks.0.params.run"),
        ({"chunks": [{"title": "a\u0000b"}]}, "chunks.0.title"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_what_is_no_spec_names_the_field_and_changes_nothing(call: Call, change: Any, field: str) -> None:
    assert field in fields(call("post", "/specs", {**body(make.project()), **change}))
    assert not Spec.objects.exists()


def test_a_part_of_a_spec_is_changed_and_the_rest_stays(call: Call) -> None:
    agent = {"title": "Agent", "executor": "agent", "review": {"agent": {}, "command": "make"}, "timeout": "10m"}
    made = call("post", "/specs", body(make.project(), chunks=[*CHUNKS, agent])).json()
    reply = call("patch", f"/specs/{made['id']}", {"priority": 9, "description": "Why"})
    assert reply.status_code == 200, reply.content
    changed = reply.json()
    assert (changed["priority"], changed["description"], changed["title"]) == (9, "Why", "Tidy up")
    assert changed["chunks"] == made["chunks"]
    assert fields(call("patch", f"/specs/{made['id']}", {"title": None})) == ["title"]


def test_a_spec_is_replaced(call: Call) -> None:
    made = call("post", "/specs", body(make.project(), priority=3)).json()
    reply = call("put", f"/specs/{made['id']}", {"title": "New", "chunks": CHUNKS[:1]})
    shown = reply.json()
    assert (reply.status_code, shown["title"], shown["priority"], len(shown["chunks"])) == (200, "New", 0, 1)
    assert (shown["id"], shown["key"]) == (made["id"], made["key"])


def test_a_spec_is_imported_and_imported_again(call: Call) -> None:
    project, text = make.project(), "title: Tidy up\nchunks:\n  - title: One\n    params: {run: 'true'}\n"
    first = call("post", "/specs/import", {"project": project.pk, "text": text})
    again = call("post", "/specs/import", {"project": project.pk, "text": text, "key": "tidy-up"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    for bad in ("title: [", "- a\n- b", "title: a\nchunks: []", "&a [*a]", ""):
        assert fields(call("post", "/specs/import", {"project": project.pk, "text": bad, "key": "bad"}))
    assert Spec.objects.count() == 1


def test_a_spec_that_waits_or_runs_is_not_deleted(call: Call, node: Node) -> None:
    spec = make.spec()
    dispatch.pause_queue("mira")
    dispatch.enqueue(spec, by="mira")
    reply = call("delete", f"/specs/{spec.pk}")
    assert (reply.status_code, reply.json()["detail"]) == (409, "It waits in the queue.")
    assert (reply.json()["type"], reply.json()["current"]) == ("urn:specyard:problem:spec-in-use", "in_use")
    dispatch.resume_queue("mira")
    assert call("delete", f"/specs/{spec.pk}").status_code == 409
    spec.workers.get().request_stop("mira")
    assert call("delete", f"/specs/{spec.pk}").status_code == 204
    assert call("get", f"/specs/{spec.pk}").status_code == 404


def test_specs_are_found(call: Call) -> None:
    mine, other = make.spec(title="Send mail"), make.spec(title="Read news")

    def found(**query: Any) -> list[int]:
        return [item["id"] for item in call("get", "/specs", **query).json()["items"]]

    assert found() == [mine.pk, other.pk]
    assert found(q="MAIL send") == [mine.pk]
    assert found(project=other.project_id) == found(key=other.key) == [other.pk]
    assert "chunks" not in call("get", "/specs").json()["items"][0]


def test_a_project_is_added_changed_and_deleted(call: Call, tmp_path: Path) -> None:
    reply = call("post", "/projects", {"name": "website", "directory": str(tmp_path), "max_workers": 2})
    assert reply.status_code == 201, reply.content
    made = reply.json()
    assert (made["name"], made["max_workers"], made["specs"], made["isolation"]) == ("website", 2, 0, "copy")
    path = f"/projects/{made['id']}"
    assert call("get", path).json() == made
    changed = call("patch", path, {"max_workers": None, "environment": {"A": "1"}}).json()
    assert (changed["max_workers"], changed["environment"], changed["name"]) == (None, {"A": "1"}, "website")
    make.spec(project=Project.objects.get())
    assert [item["specs"] for item in call("get", "/projects", name="website").json()["items"]] == [1]
    assert call("get", "/projects", q="nothing").json() == {"items": [], "next": None}
    assert call("delete", path).status_code == 204
    assert not Project.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "../x"}, "name"),
        ({"name": "x" * 1_000_000}, "name"),
        ({"directory": "relative"}, "directory"),
        ({"directory": "/nowhere/at/all"}, "directory"),
        ({"default_executor": "nonsense"}, "default_executor"),
        ({"environment": {"SPECYARD_X": "1"}}, "environment"),
        ({"environment": "A=1"}, "environment"),
        ({"max_workers": 0}, "max_workers"),
        ({"isolation": "none"}, "isolation"),
        ({"default_branch": "a..b"}, "default_branch"),
    ],
)
def test_what_is_no_project_names_the_field(call: Call, tmp_path: Path, change: Any, field: str) -> None:
    reply = call("post", "/projects", {"name": "website", "directory": str(tmp_path), **change})
    assert [name.split(".")[0] for name in fields(reply)] == [field]
    assert not Project.objects.exists()


def test_a_project_with_history_stays(call: Call, node: Node) -> None:
    worker = make.worker()
    reply = call("delete", f"/projects/{worker.project_id}")
    assert reply.status_code == 409
    assert reply.json()["type"] == "urn:specyard:problem:project-in-use"


def test_a_profile_is_added_changed_and_deleted(call: Call) -> None:
    made = call("post", "/profiles", {"name": "mine", "title": "Mine", "command": "agent", "silence_seconds": 30})
    assert made.status_code == 201, made.content
    path = f"/profiles/{made.json()['id']}"
    changed = call("patch", path, {"permission": "listed", "allowed_tools": ["read"]}).json()
    assert (changed["permission"], changed["allowed_tools"], changed["silence_seconds"]) == ("listed", ["read"], 30)
    assert fields(call("patch", path, {"permission": "maybe"})) == ["permission"]
    assert call("delete", path).status_code == 204
    assert call("get", path).status_code == 404


def test_secrets_are_taken_from_administrators_and_shown_to_nobody(call: Call, admin: Client) -> None:
    made = {"name": "mine", "title": "Mine", "command": "agent", "secrets": {"API_KEY": "s3cr3t"}}
    assert call("post", "/profiles", made).status_code == 403
    reply = caller(admin)("post", "/profiles", made)
    assert (reply.status_code, reply.json()["secret_names"]) == (201, ["API_KEY"])
    path = f"/profiles/{reply.json()['id']}"
    replies = [reply, call("get", path), call("get", "/profiles"), call("patch", path, {"title": "Ours"})]
    assert all("s3cr3t" not in each.content.decode() for each in replies)
    assert AgentProfile.objects.get(name="mine").secret_names == ["API_KEY"]
    assert caller(admin)("patch", path, {"secrets": {"API_KEY": None}}).json()["secret_names"] == []


def test_a_profile_that_is_needed_stays(call: Call) -> None:
    profile = make.profile()
    make.project(default_profile=profile.name)
    assert call("delete", f"/profiles/{profile.pk}").status_code == 409
