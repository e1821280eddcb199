"""Agent profiles: list, usage, form, delete."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.utils import timezone
from django.utils.html import strip_tags

from dashboard.live.drawing import draw
from dashboard.live.outbox import Change
from dashboard.live.topics import Region, changed, parse
from dashboard.pages import profile_fragments
from queue_app import dispatch
from specs import profiles
from specs.agents import AgentProfile
from specs.models import Project
from tests.support import make
from workers.models import Attempt, Event
from workers.states import EventKind

FORM = {
    "name": "mine",
    "title": "My agent",
    "command": "my-agent",
    "arguments": "acp",
    "environment": "",
    "model": "",
    "mode": "",
    "permission": "ask",
    "allowed_tools": "",
    "max_sessions": "",
    "handshake_seconds": "1m",
    "silence_seconds": "10m",
    "wall_seconds": "30m",
    "login_files": "",
    "install_hint": "",
    "notes": "",
}


@pytest.fixture
def only_codex(monkeypatch, tmp_path):
    """A machine that has Codex and no other agent."""
    program = tmp_path / "codex-acp"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(profiles, "_path", lambda: str(tmp_path))


@pytest.fixture
def stored(db):
    """A profile with two secrets."""
    return make.profile(name="mine", title="My agent", secrets={"KEY": "s3cret-key", "OTHER": "s3cret-other"})


def panel(page: str, profile: AgentProfile) -> str:
    return page.partition(f'id="profile-{profile.pk}"')[2].partition("</section>")[0]


def test_the_list_shows_what_is_installed_and_how_to_install_the_rest(viewer, only_codex):
    page = viewer.get("/profiles").content.decode()
    codex = panel(page, AgentProfile.objects.get(name="codex"))
    assert "Installed" in codex
    assert "npm install" not in codex
    opencode = panel(page, AgentProfile.objects.get(name="opencode"))
    assert "Not installed" in opencode
    assert "npm install -g opencode-ai" in opencode
    assert "opencode acp" in opencode
    assert "zai/glm-4.7" in opencode
    assert "Ask a person" in opencode
    assert "Give it a command first." in panel(page, AgentProfile.objects.get(name="custom"))


def test_the_list_shows_limits_and_names_of_secrets_only(viewer, node, stored):
    AgentProfile.objects.filter(pk=stored.pk).update(max_sessions=1, silence_seconds=90)
    make.agents_worker({"params": {"profile": "mine"}})
    shown = panel(viewer.get("/profiles").content.decode(), stored)
    assert "1/1 in use" in shown
    assert "KEY, OTHER" in shown
    assert "s3cret" not in shown


@pytest.mark.parametrize("here", [True, False])
def test_where_workers_run_on_other_machines_the_page_says_where_it_has_looked(viewer, only_codex, here):
    own = settings.SPECYARD.node_name
    if here:
        make.node(own)
    page = viewer.get("/profiles").content.decode()
    assert "profile-machines" not in page
    assert "Not installed here" not in page
    make.node("build-1")
    make.node("gone").unregister()
    page = viewer.get("/profiles").content.decode()
    said = " ".join(strip_tags(page.partition('id="profile-machines"')[2].partition("</div>")[0]).split())
    where = ". Workers also run on" if here else ", where no worker runs. Workers run on"
    alone = "Agents are looked for only on the machine that serves this page"
    assert f"{alone}, {own}{where} build-1: install the agents there too." in said
    assert "Installed here" in panel(page, AgentProfile.objects.get(name="codex"))
    opencode = panel(page, AgentProfile.objects.get(name="opencode"))
    assert "Not installed here" in opencode
    assert f"Not on {own}. Install it:" in opencode


def test_what_a_profile_leaves_to_the_agent_is_called_so(viewer, stored):
    shown = panel(viewer.get("/profiles").content.decode(), stored)
    assert shown.count("<dd>its own choice</dd>") == 2
    assert "\N{EN DASH}" not in shown


def test_an_empty_list_says_what_a_profile_is(viewer):
    AgentProfile.objects.all().delete()
    assert "No agent profiles" in viewer.get("/profiles").content.decode()


def used(day: int, profile: str, tokens: int, cost: str) -> None:
    chunk = make.worker("true").chunks.get()
    began = timezone.now() - timedelta(days=day)
    Attempt.objects.create(
        chunk=chunk,
        number=1,
        incarnation=1,
        started_at=began,
        profile=profile,
        tokens_in=tokens,
        tokens_out=tokens // 10,
        cost=Decimal(cost),
    )


def test_usage_is_summed_by_profile_and_day(viewer, node):
    used(0, "codex", 1000, "0.50")
    used(0, "codex", 183_500, "1.25")
    used(0, "opencode", 10, "0.0031")
    used(3, "codex", 2_000_000, "10")
    used(30, "codex", 7, "99")
    used(0, "", 7, "0")
    found = profile_fragments.usage(timezone.now())
    first, second = found.days.values()
    assert [(row.profile, row.attempts, row.tokens_in, row.cost) for row in first] == [
        ("codex", 2, 184_500, Decimal("1.75")),
        ("opencode", 1, 10, Decimal("0.0031")),
    ]
    assert [row.profile for row in second] == ["codex"]
    assert found.total.cost == Decimal("11.7531")
    page = viewer.get("/profiles").content.decode()
    for text in ("184k <i>in</i> 18k <i>out</i>", "$1.75", "$0.0031", "$10.00", "$11.75"):
        assert text in page


def test_tokens_of_the_cache_are_said_in_words(viewer, node):
    used(0, "codex", 2000, "1")
    assert "cache" not in viewer.get("/profiles").content.decode()
    Attempt.objects.update(cached_read=1500, cached_written=200)
    used(1, "opencode", 100, "0")
    page = viewer.get("/profiles").content.decode()
    cached = "of these 1.5k read from a cache, 200 written to a cache"
    assert f'title="2000 in ({cached}), 200 out"' in page
    assert 'title="100 in, 10 out"' in page
    assert f"2.1k tokens in, {cached}." in page


def test_what_an_agent_does_not_tell_is_no_zero(viewer, node):
    used(0, "codex", 0, "0")
    page = viewer.get("/profiles").content.decode()
    assert page.count('<td class="num">\N{EN DASH}</td>') == 2
    assert "\N{EN DASH}: the agent has not told it." in page


def test_a_profile_is_added(operator):
    form = {
        **FORM,
        "environment": "A=1\r\nB=two words",
        "max_sessions": "2",
        "silence_seconds": "90",
    }
    assert operator.post("/profiles/new", form)["Location"] == "/profiles"
    profile = AgentProfile.objects.get(name="mine")
    assert (profile.arguments, profile.environment) == (["acp"], {"A": "1", "B": "two words"})
    assert (profile.max_sessions, profile.silence_seconds, profile.is_shipped) == (2, 90, False)


@pytest.mark.parametrize(
    "field, value, part",
    [
        ("name", "", "must consist of"),
        ("name", "opencode", "another profile"),
        ("title", "", "must not be empty"),
        ("command", "my-agent acp", "put &quot;acp&quot; under arguments"),
        ("arguments", "a\x00", "line 1 holds a NUL"),
        ("environment", "no equals sign", "NAME=value"),
        ("environment", "SPECYARD_X=1", "Specyard"),
        ("permission", "always", "must be"),
        ("max_sessions", "0", "at least 1"),
        ("handshake_seconds", "soon", "must be a duration"),
        ("silence_seconds", "", "must be a duration"),
        ("wall_seconds", "9", "between 10s and 24h"),
        ("login_files", "CODEX_HOME/a\n/etc/passwd", "line 2 must be a path inside"),
    ],
)
def test_a_bad_field_is_marked_and_nothing_is_stored(operator, field, value, part):
    response = operator.post("/profiles/new", {**FORM, field: value})
    assert response.status_code == 422
    assert list(response.context["errors"]) == [field]
    assert part in response.content.decode().partition(f'id="{field}"')[2].partition("</div>")[0]
    assert not AgentProfile.objects.filter(title="My agent").exists()


def test_a_profile_is_changed_and_shows_what_it_has(operator, stored):
    AgentProfile.objects.filter(pk=stored.pk).update(environment={"A": "1"}, wall_seconds=5400)
    page = operator.get(f"/profiles/{stored.pk}").content.decode()
    assert ">A=1</textarea>" in page
    assert 'value="1h30m"' in page
    assert "s3cret" not in page
    operator.post(f"/profiles/{stored.pk}", {**FORM, "title": "Renamed"})
    stored.refresh_from_db()
    assert (stored.title, stored.environment, stored.wall_seconds) == ("Renamed", {}, 1800)
    assert stored.secret_names == ["KEY", "OTHER"]


def test_a_profile_is_deleted(act, stored):
    assert act("delete", f"/profiles/{stored.pk}")["HX-Redirect"] == "/profiles"
    assert not AgentProfile.objects.filter(pk=stored.pk).exists()


def test_a_profile_in_use_is_kept_and_the_reason_is_said(act, stored):
    make.project(name="acme", default_profile="mine")
    answer = act("delete", f"/profiles/{stored.pk}")
    assert answer.status_code == 409
    assert "default profile of the project acme" in answer.content.decode()
    Project.objects.update(default_profile="")
    worker = make.agents_worker({"params": {"profile": "mine"}})
    worker.spec.chunks.all().delete()
    answer = act("delete", f"/profiles/{stored.pk}")
    assert answer.status_code == 409
    assert f"Worker {worker.pk} needs it" in answer.content.decode()


def test_a_project_chooses_its_default_profile(operator):
    project = make.project()
    page = operator.get(f"/projects/{project.pk}").content.decode()
    assert '<option value="codex">' in page
    form = {"name": project.name, "directory": "/tmp", "isolation": "copy", "default_executor": "command"}
    operator.post(f"/projects/{project.pk}", {**form, "default_profile": "codex"})
    project.refresh_from_db()
    assert project.default_profile == "codex"
    answer = operator.post(f"/projects/{project.pk}", {**form, "default_profile": "gone"})
    assert answer.status_code == 422
    assert "not an agent profile" in answer.content.decode()


def test_the_page_asks_a_constant_number_of_questions(viewer, node, django_assert_max_num_queries):
    for number in range(20):
        make.profile()
        used(number % 10, f"p{number}", 1, "1")
    with django_assert_max_num_queries(16):
        viewer.get("/profiles")


def test_open_pages_hear_of_a_change(operator, node):
    operator.post("/profiles/new", FORM)
    assert Event.objects.filter(kind="settings_changed", data__action="agentprofile_saved").exists()


def test_the_queue_says_which_profile_is_waited_for(viewer):
    make.node(capabilities={"executors": ["agent", "command"]})
    AgentProfile.objects.filter(name="codex").update(max_sessions=1)
    for _ in range(2):
        dispatch.enqueue(make.spec(make.for_agent(params={"profile": "codex"})), by="mira")
    assert "Profile codex: 1/1 sessions" in viewer.get("/workers").content.decode()


def test_a_specs_page_says_which_agents_work_and_review(viewer):
    look = {"command": "pytest -q", "agent": {"profile": "claude", "instructions": "Look for races."}}
    by_default = {"agent": {"profile": "", "instructions": ""}}
    project = make.project(default_profile="codex")
    spec = make.spec(make.for_agent(review=look), {"run": "true", "review": by_default}, project=project)
    page = viewer.get(f"/specs/{spec.pk}").content.decode()
    assert 'title="Agent profile codex"' in page
    assert 'title="pytest -q, claude"' in page
    assert "Look for races." in page
    assert "Review by the agent codex" in page


@pytest.mark.parametrize("kind", [EventKind.SETTINGS_CHANGED, EventKind.WORKER_STARTED, EventKind.WORKER_STOPPED])
def test_an_open_page_is_drawn_again_when_profiles_or_workers_change(node, kind):
    regions = changed(Change(kind, 1, {}), parse("profiles"))
    assert Region("profile_list") in regions
    drawn = draw(regions)[Region("profile_list")]
    assert 'id="profile-list"' in drawn.html
    assert drawn.again_in is not None
