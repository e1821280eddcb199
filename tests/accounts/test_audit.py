"""The audit log: what an entry holds, that it goes with its change, and how it is read."""

import asyncio
import csv
import io
import json
import os
import pwd
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin as django_admin
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.utils import timezone

from dashboard import audit, audit_edits, audit_log
from dashboard.cli import application
from dashboard.models import AuditEntry, Source
from dashboard.models.audit_entry import WrittenOnce
from queue_app import dispatch
from queue_app.models import Yard
from specs import acting, editing, profiles_editing
from specs.errors import SpecInUse
from specs.models import AgentProfile
from tests.accounts.conftest import account, last
from tests.support import make
from workers.errors import StaleTransition
from workers.models import Worker
from workers.states import Reason

pytestmark = pytest.mark.django_db
SECRET = "s3cr3t-value"


# What an entry holds.


def test_fields_before_and_after(admin: Client, node: object) -> None:
    Yard.current()
    admin.post("/queue/limit", {"limit": "7"})
    entry = last(action="queue.set_limit")
    assert (entry.before, entry.after) == ({"limit": 5}, {"limit": 7})
    assert (entry.actor, entry.source, entry.kind, entry.target_id) == ("ada", "page", "queue", None)
    assert entry.change == "limit 5 → 7"
    admin.post("/queue/limit", {"limit": "7"})
    assert AuditEntry.objects.filter(action="queue.set_limit").count() == 1


def test_only_what_has_changed_of_a_project(tmp_path: Any) -> None:
    project = make.project(tmp_path, environment={"KEPT": "1", "TOKEN": SECRET, "GONE": "2"})
    editing.update_project(project, {"setup_command": "make", "environment": {"KEPT": "1", "TOKEN": SECRET + "2"}})
    entry = last(action="project.change")
    assert entry.before == {"setup_command": "", "environment": ["GONE", "KEPT", "TOKEN"]}
    assert entry.after == {"setup_command": "make", "environment": ["KEPT", "TOKEN (new value)"]}
    before = AuditEntry.objects.count()
    editing.update_project(project, {"setup_command": "make"})
    assert AuditEntry.objects.count() == before


def test_no_secret_of_a_profile() -> None:
    profile = profiles_editing.create_profile({"name": "mine", "title": "Mine", "command": "x"}, {"KEY": SECRET})
    profiles_editing.update_profile(profile, {}, {"KEY": SECRET + "2", "OTHER": SECRET})
    told = AuditEntry.objects.filter(kind="secret").order_by("pk").values_list("action", "label", "after")
    assert list(told) == [
        ("secret.create", "mine: KEY", {"name": "KEY", "profile": "mine"}),
        ("secret.replace", "mine: KEY", {"name": "KEY", "profile": "mine"}),
        ("secret.create", "mine: OTHER", {"name": "OTHER", "profile": "mine"}),
    ]
    assert SECRET not in str(list(AuditEntry.objects.values()))


def test_which_chunks_of_a_spec(tmp_path: Any) -> None:
    project = make.project(tmp_path)
    text = 'title: One\nchunks:\n  - {title: A, params: {run: "a"}}\n  - {title: B, params: {run: "b"}}\n'
    editing.save_text(project, "one", text)
    assert last(action="spec.create").after["chunks"] == ["c1", "c2"]
    editing.save_text(project, "one", text.replace('"b"', '"c"').replace("One", "Two"))
    entry = last(action="spec.change")
    assert (entry.before["title"], entry.after) == ("One", {"title": "Two", "changed_chunks": ["c2"]})
    before = AuditEntry.objects.count()
    editing.save_text(project, "one", text.replace('"b"', '"c"').replace("One", "Two"))
    assert AuditEntry.objects.count() == before


def test_a_wish_is_recorded_when_it_changes(running: Worker) -> None:
    for _ in range(2):
        running.request_pause("mira")
    running.request_stop("noor")
    running.request_stop("noor")
    entries = AuditEntry.objects.filter(kind="worker").order_by("pk")
    assert [(one.action, one.actor, one.before, one.after) for one in entries] == [
        ("worker.pause", "mira", {"desired": "run"}, {"desired": "pause"}),
        ("worker.stop", "noor", {"desired": "pause"}, {"desired": "stop"}),
    ]
    assert {one.target_id for one in entries} == {running.pk}


def test_long_texts_are_cut_and_nonsense_is_stored() -> None:
    acting.record("worker.tell", acting.Target(1, "x" * 1000), after={"text": "y" * 10_000, "odd": "a\0b\udcff"})
    entry = last()
    assert (len(entry.label), len(entry.after["text"]), entry.after["odd"]) == (300, 301, "ab")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (timedelta(seconds=1), "0:00:01"),
        ({"b", "a"}, ["a", "b"]),
        (tuple(range(30)), [*range(20), "… 10 more"]),
        ({"a": {"b": [None, True, 1.5]}}, {"a": {"b": [None, True, 1.5]}}),
        ({n: n for n in range(50)}, {str(n): n for n in range(20)}),
    ],
)
def test_values_become_what_json_can_hold(value: Any, kept: Any) -> None:
    assert acting.small(value) == kept


# With its change, or not at all.


def test_a_change_that_is_taken_back_takes_its_entry_along(running: Worker) -> None:
    with transaction.atomic():
        running.request_stop("mira")
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()
    assert Worker.objects.get().desired == "run"


def test_a_change_whose_entry_cannot_be_written_is_not_made(running: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(AuditEntry, "save", fail)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        running.request_stop("mira")
    assert Worker.objects.get().desired == "run"


def test_what_is_refused_is_not_recorded(node: object) -> None:
    worker = make.worker("true")
    with pytest.raises(SpecInUse):
        worker.spec.remove()
    worker.fail(Reason.CHUNK_FAILED, "no")
    with pytest.raises(StaleTransition):
        worker.request_pause("mira")
    assert not AuditEntry.objects.exists()


# From where.


def test_what_nobody_asked_for_is_the_systems(node: object) -> None:
    dispatch.set_limit(3, by="")
    assert (last().source, last().actor, last().who) == ("system", "", "Specyard")


def test_a_command_is_recorded_as_one_also_by_way_of_the_api(ada: User) -> None:
    client = Client()
    client.force_login(ada)
    with audit.acting_from(Source.CLI, "os-user"):
        dispatch.set_limit(3, by="")
        client.post("/api/tokens", {"name": "one"}, content_type="application/json")
        client.post("/api/queue/pause")
    actions = ("queue.set_limit", "token.create", "queue.pause")
    told = AuditEntry.objects.filter(action__in=actions).order_by("pk").values_list("action", "source", "actor")
    assert list(told) == [(action, "cli", "os-user") for action in actions]
    assert audit.origin() == audit.NOWHERE


@pytest.mark.django_db(transaction=True)
def test_what_a_command_does_is_done_by_the_user_of_the_machine(node: object, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    with application.database():
        dispatch.set_limit(3, by="")
    assert (last().source, last().actor) == ("cli", pwd.getpwuid(os.getuid()).pw_name)


def test_signing_out_of_djangos_admin_is_recorded(admin: Client) -> None:
    admin.post("/admin/logout/")
    assert (last().action, last().source, last().actor) == ("account.sign_out", "admin", "ada")
    assert admin.get("/workers").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_requests_at_the_same_time_keep_their_own_actors(node: object) -> None:
    """Through the event loop, as in the web process."""
    clients = []
    for n in range(6):
        client = AsyncClient()
        client.force_login(account(f"user{n}", "operator"))
        clients.append(client)
    entries = [dispatch.enqueue(make.spec("true"), by="x", not_before=timezone.now() + timedelta(1)) for _ in clients]
    AuditEntry.objects.all()._raw_delete("default")  # type: ignore[attr-defined]

    async def all_at_once() -> list[HttpResponse]:
        calls = (c.post(f"/queue/{e.pk}/priority", {"priority": "7"}) for c, e in zip(clients, entries, strict=True))
        return await asyncio.gather(*calls)

    replies = async_to_sync(all_at_once)()
    assert {reply.status_code for reply in replies} == {302}
    found = dict(AuditEntry.objects.filter(action="queue.move").values_list("target_id", "actor"))
    assert found == {entry.pk: f"user{n}" for n, entry in enumerate(entries)}


# Django's admin.


def editable() -> set[type]:
    """The models that somebody can write there."""
    request = Client().get("/sign-in").wsgi_request
    request.user = User(is_superuser=True, is_active=True, pk=1)
    found = set()
    for model, one in django_admin.site._registry.items():
        may = (one.has_add_permission, one.has_change_permission, one.has_delete_permission)
        if any(check(request) for check in may):
            found.add(model)
    return found


def test_what_can_be_edited_in_djangos_admin_is_watched_or_goes_through_verbs() -> None:
    by_verbs = {model for model in editable() if model._meta.app_label in ("queue_app", "workers")}
    assert editable() - set(audit_edits.WATCHED) - by_verbs == set()


def test_edits_in_djangos_admin(admin: Client, tmp_path: Any) -> None:
    spec = make.spec("true", project=make.project(tmp_path))
    form = {"title": "Another", "description": "", "priority": 3, "on_failure": "stop", "max_attempts": 3}
    management = {f"chunks-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
    old = spec.title
    assert admin.post(f"/admin/specs/spec/{spec.pk}/change/", form | management).status_code == 302
    entry = last()
    assert (entry.action, entry.source, entry.actor, entry.target_id) == ("spec.change", "admin", "ada", spec.pk)
    assert (entry.before, entry.after) == ({"title": old, "priority": 0}, {"title": "Another", "priority": 3})
    chosen = {"action": "delete_selected", "_selected_action": [spec.pk], "post": "yes"}
    assert admin.post("/admin/specs/spec/", chosen).status_code == 302
    assert (last().action, last().before["title"]) == ("spec.delete", "Another")


@pytest.mark.parametrize("root", ["/x", "/api"])
def test_edits_in_djangos_admin_wherever_the_site_begins(root: str, admin: Client) -> None:
    user = User.objects.get(username="ada")
    form = {"first_name": "Ada", "last_name": "", "email": ""}
    assert admin.post(f"/admin/auth/user/{user.pk}/change/", form, SCRIPT_NAME=root).status_code == 302
    assert (last().action, last().source, last().after) == ("account.change", "admin", {"first_name": "Ada"})


def test_secrets_that_are_edited_in_djangos_admin(admin: Client) -> None:
    profile = AgentProfile.objects.get(name="opencode")
    page = admin.get(f"/admin/specs/agentprofile/{profile.pk}/change/")
    form = {name: value for name, value in page.context["adminform"].form.initial.items() if value is not None}
    form = {name: json.dumps(value) if isinstance(value, list | dict) else value for name, value in form.items()}
    form |= {"new_secrets": f"KEY={SECRET}"}
    reply = admin.post(f"/admin/specs/agentprofile/{profile.pk}/change/", form)
    assert reply.status_code == 302, reply.content.decode()
    assert (last().action, last().actor, last().after) == (
        "secret.create",
        "ada",
        {"name": "KEY", "profile": "opencode"},
    )
    assert SECRET not in str(list(AuditEntry.objects.values()))


def test_actions_of_the_queue_in_djangos_admin_are_recorded_once(admin: Client, node: object) -> None:
    Yard.current()
    admin.post("/admin/queue_app/yard/1/change/", {"limit": "9", "paused": "on"})
    assert sorted(AuditEntry.objects.values_list("action", "source")) == [
        ("queue.pause", "admin"),
        ("queue.set_limit", "admin"),
    ]


def test_entries_can_be_neither_changed_nor_deleted(admin: Client) -> None:
    acting.record("worker.stop", acting.Target(1, "one"))
    entry = AuditEntry.objects.get()
    with pytest.raises(WrittenOnce):
        entry.save()
    with pytest.raises(WrittenOnce):
        entry.delete()
    where = f"/admin/dashboard/auditentry/{entry.pk}"
    assert admin.get(f"{where}/change/").status_code == 200
    assert admin.post(f"{where}/change/", {"actor": "x"}).status_code == 403
    assert admin.post(f"{where}/delete/", {"post": "yes"}).status_code == 403
    assert admin.get("/admin/dashboard/auditentry/add/").status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"}
    admin.post("/admin/dashboard/auditentry/", chosen)
    assert AuditEntry.objects.filter(pk=entry.pk).exists()


# Reading.


def fill(number: int, **fields: Any) -> list[int]:
    """Entries, some at the same moment; their numbers, the newest first."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    rows = [
        AuditEntry(
            **{
                "at": start + timedelta(minutes=n // 3),
                "actor": f"user{n % 3}",
                "source": "page",
                "action": "worker.pause",
                "kind": "worker",
                "target_id": n,
                "label": f"Worker {n}",
                **fields,
            }
        )
        for n in range(number)
    ]
    made = AuditEntry.objects.bulk_create(rows)
    return [entry.pk for entry in made][::-1]


def test_pages_show_each_entry_once_in_both_directions() -> None:
    numbers = fill(25)
    seen, page = [], audit_log.page(AuditEntry.objects.all(), size=10)
    pages = [page]
    while page.older:
        page = audit_log.page(AuditEntry.objects.all(), older=page.older, size=10)
        pages.append(page)
    seen = [entry.pk for page in pages for entry in page.rows]
    assert seen == numbers
    assert [len(page.rows) for page in pages] == [10, 10, 5]
    back = audit_log.page(AuditEntry.objects.all(), newer=pages[2].newer, size=10)
    assert [entry.pk for entry in back.rows] == numbers[10:20]
    assert (pages[0].newer, bool(back.newer)) == ("", True)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"actor": "user1"}, 4),
        ({"actor": "user"}, 0),
        ({"source": "page"}, 12),
        ({"source": "cli"}, 0),
        ({"action": "worker.pause"}, 12),
        ({"target": "worker"}, 12),
        ({"target": "worker:3"}, 1),
        ({"target": "spec:3"}, 0),
        ({"since": "2026-03-01T00:02Z"}, 6),
        ({"until": "2026-03-01T00:02"}, 6),
        ({"since": "2026-03-01", "until": "2026-03-01T00:01:00+00:00"}, 3),
        ({"actor": "user1", "target": "worker:1"}, 1),
        ({}, 12),
    ],
)
def test_filters(admin: Client, query: dict[str, str], count: int) -> None:
    fill(12)
    assert len(audit_log.Filter.parse(query).entries()) == count
    assert admin.get("/audit", query).content.decode().count('<td class="mono"><time') == count
    assert len(admin.get("/api/audit", query).json()["items"]) == count


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source", "x"),
        ("target", "worker:"),
        ("target", "DROP TABLE"),
        ("target", "worker:" + "9" * 30),
        ("since", "yesterday"),
        ("since", "2026-13-41"),
        ("until", "2026-02-31T00:00"),
        ("older", "x"),
        ("older", "1-" + "9" * 30),
    ],
)
def test_a_filter_that_is_none_is_named(admin: Client, name: str, value: str) -> None:
    reply = admin.get("/audit", {name: value})
    assert reply.status_code == 400
    assert (name if name != "older" else "after") + ": " in reply.content.decode()
    if name != "older":
        assert admin.get("/audit/audit.csv", {name: value}).status_code == 400
    assert admin.get("/api/audit", {"after" if name == "older" else name: value}).status_code == 422


def test_the_api_reads_on_by_its_cursor(admin: Client) -> None:
    numbers = fill(7)
    first = admin.get("/api/audit", {"limit": "5"}).json()
    second = admin.get("/api/audit", {"limit": "5", "after": first["next"]}).json()
    assert [item["id"] for item in first["items"] + second["items"]] == numbers
    assert second["next"] is None
    assert set(first["items"][0]) == {"id", *audit_log.COLUMNS}


def test_hostile_text_is_text(admin: Client) -> None:
    fill(1, label="<script>alert(1)</script>", actor="<b>", after={"<i>": "<img src=x>"})
    page = admin.get("/audit").content.decode()
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    assert "&lt;script&gt;" in page


def body(reply: Any) -> str:
    return b"".join(reply.streaming_content).decode()


def test_an_export_holds_everything_that_the_filter_lets_through(admin: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(audit_log, "BATCH", 4)
    numbers = fill(10)
    reply = admin.get("/audit/audit.csv", {"target": "worker"})
    assert reply["Content-Type"] == "text/csv; charset=utf-8"
    assert reply["Content-Disposition"].startswith('attachment; filename="audit-')
    rows = list(csv.DictReader(io.StringIO(body(reply))))
    assert [int(row["target_id"]) for row in rows] == list(range(10))[::-1]
    lines = body(admin.get("/audit/audit.ndjson", {"target": "worker"})).splitlines()
    assert [json.loads(line)["label"] for line in lines] == [f"Worker {n}" for n in range(10)][::-1]
    assert len(numbers) == 10
    assert AuditEntry.objects.filter(action="audit.export", actor="ada").count() == 2
    assert admin.get("/audit/audit.xlsx").status_code == 404


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(start: str) -> None:
    fill(1, label=f'{start}cmd|"/c calc"!A1', actor=f"{start}x")
    [row] = csv.DictReader(io.StringIO("".join(audit_log.as_csv(AuditEntry.objects.all())), newline=""))
    assert row["label"] == f'\'{start}cmd|"/c calc"!A1'
    assert row["actor"].startswith("'")
    assert json.loads("".join(audit_log.as_ndjson(AuditEntry.objects.all())))["label"].startswith(start)


@pytest.mark.django_db(transaction=True)
def test_an_export_is_sent_while_it_is_read(monkeypatch: Any) -> None:
    """Through the event loop, where a list would be made of what cannot be awaited."""
    monkeypatch.setattr(audit_log, "BATCH", 2)
    fill(5)
    client = AsyncClient()
    client.force_login(account("ada", "admin"))

    async def read() -> list[bytes]:
        reply = await client.get("/audit/audit.ndjson", {"target": "worker"})
        return [part async for part in reply.streaming_content]

    parts = async_to_sync(read)()
    assert [part.count(b"\n") for part in parts] == [2, 2, 1]


def test_a_page_asks_a_constant_number_of_questions(admin: Client, django_assert_max_num_queries: Any) -> None:
    fill(200)
    with django_assert_max_num_queries(25):
        assert admin.get("/audit").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"actor": "user1"},
        {"source": "cli"},
        {"action": "worker.pause"},
        {"target": "worker:3"},
        {"target": "worker"},
        {"since": "2026-03-01"},
        {"until": "2026-03-01T00:02Z"},
    ],
)
def test_every_filter_reads_by_an_index(query: dict[str, str]) -> None:
    """In the order of the index, so that nothing is sorted and what lies before is not read."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL decides by the size of the table")
    entries = audit_log.Filter.parse(query).entries().order_by("-at", "-pk")[:50]
    plan = entries.explain()
    assert "USING INDEX audit_" in plan, plan
    assert "TEMP B-TREE" not in plan, plan
