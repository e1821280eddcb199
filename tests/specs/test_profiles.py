"""Agent profiles: what is shipped, found, chosen, changed, and told to a runner."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError

from specs import profiles
from specs.agents import AgentProfile
from specs.editing import update_project
from specs.errors import ProfileInUse, ProfileMissing, SpecInvalid
from specs.models import Chunk, Project
from specs.profiles_editing import create_profile, remove_profile, update_profile
from specs.secrets import values_of
from specs.signals import profile_in_use
from tests.support import make

pytestmark = pytest.mark.django_db

GIVEN = {"name": "mine", "title": "My agent", "command": "my-agent"}


def refusal(data: dict[str, Any], secrets: dict[str, str | None] | None = None) -> dict[str, str]:
    with pytest.raises(SpecInvalid) as refused:
        create_profile({**GIVEN, **data}, secrets)
    assert not AgentProfile.objects.filter(name="mine").exists()
    return dict(refused.value.errors)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that does nothing, alone in its directory."""
    path = tmp_path / "bin" / "my-agent"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_new_yard_has_the_shipped_profiles():
    shipped = {profile.name: profile for profile in AgentProfile.objects.all()}
    assert set(shipped) == {"opencode", "claude", "codex", "gemini", "custom"}
    opencode = shipped[profiles.DEFAULT]
    assert (opencode.command, opencode.arguments) == ("opencode", ["acp"])
    assert "glm" in opencode.model
    assert "XDG_DATA_HOME/opencode/auth.json" in opencode.login_files
    assert (opencode.handshake_seconds, opencode.silence_seconds, opencode.wall_seconds) == (60, 600, 1800)
    assert all(profile.is_shipped for profile in shipped.values())


@pytest.mark.parametrize("name", ["opencode", "claude", "codex", "gemini"])
def test_what_is_shipped_passes_our_own_checks(name):
    profile = AgentProfile.objects.get(name=name)
    before = profile.updated_at
    assert update_profile(profile, {}).updated_at > before
    assert profile.install_hint.startswith("npm install -g ")


def test_what_people_changed_or_deleted_stays_so():
    AgentProfile.objects.filter(name="opencode").update(model="other/model")
    AgentProfile.objects.get(name="gemini").delete()
    call_command("migrate", verbosity=0)
    assert AgentProfile.objects.get(name="opencode").model == "other/model"
    assert not AgentProfile.objects.filter(name="gemini").exists()


def test_an_emptied_database_gets_them_again():
    AgentProfile.objects.all().delete()
    assert profiles.ensure_shipped() == 5
    assert profiles.ensure_shipped() == 0


def test_a_program_is_found_on_the_path_that_chunks_get(program, monkeypatch):
    profile = create_profile(GIVEN)
    assert profiles.detect(profile, path=str(program.parent)) == profiles.Detected(True, str(program))
    missing = profiles.detect(profile, path="/nowhere")
    assert not missing.found
    assert "my-agent" in missing.hint
    monkeypatch.setattr(profiles, "_path", lambda: str(program.parent))
    assert profiles.detect(profile).found


def test_the_path_of_chunks_is_the_users_and_not_ours(monkeypatch):
    from workers.runner import environment

    assert profiles._path() == environment.base()["PATH"]


def test_a_program_that_is_not_executable_counts_as_missing(program):
    program.chmod(0o644)
    assert not profiles.detect(create_profile(GIVEN), path=str(program.parent)).found


def test_a_profiles_own_path_and_an_absolute_command_count(program):
    own = create_profile({**GIVEN, "environment": {"PATH": str(program.parent)}})
    assert profiles.detect(own, path="/nowhere").path == str(program)
    absolute = create_profile({**GIVEN, "name": "other", "command": str(program)})
    assert profiles.detect(absolute, path="/nowhere").path == str(program)


def test_what_is_missing_says_how_it_is_installed():
    codex = AgentProfile.objects.get(name="codex")
    assert profiles.detect(codex, path="/nowhere").hint == "npm install -g @agentclientprotocol/codex-acp"
    assert "command" in profiles.detect(AgentProfile.objects.get(name="custom")).hint


def test_the_chunks_own_profile_comes_before_the_projects_and_that_before_opencode():
    project = make.project()
    assert profiles.resolve("", project).name == "opencode"
    update_project(project, {"default_profile": "claude"})
    assert profiles.resolve("", project).name == "claude"
    assert profiles.resolve("codex", project).name == "codex"


def test_a_profile_that_is_not_there_or_has_no_command_is_named():
    with pytest.raises(ProfileMissing, match=r'"gpt".*known: claude, codex, custom, gemini, opencode'):
        profiles.resolve("gpt", make.project())
    with pytest.raises(ProfileMissing, match='"custom" has no command'):
        profiles.resolve("custom", make.project())


def test_a_project_names_a_known_profile_only():
    project = make.project()
    with pytest.raises(SpecInvalid) as refused:
        update_project(project, {"default_profile": "opencod"})
    (field, message) = refused.value.errors[0]
    assert field == "default_profile"
    assert 'did you mean "opencode"?' in message
    assert Project.objects.get().default_profile == ""


def test_a_runner_is_told_how_to_start_it():
    profile = create_profile(
        {**GIVEN, "arguments": ["--acp"], "environment": {"A": "1"}, "model": "m", "allowed_tools": ["read"]},
        {"KEY": "s3cret"},
    )
    told = profiles.wire(profile, {"mode": "plan"})
    assert json.loads(json.dumps(told)) == {
        "name": "mine",
        "command": "my-agent",
        "arguments": ["--acp"],
        "environment": {"A": "1"},
        "secrets": {"KEY": "s3cret"},
        "model": "m",
        "mode": "plan",
        "permission": "ask",
        "allowed": ["read"],
        "handshake": 60.0,
        "silence": 600.0,
        "wall": 1800.0,
        "login_files": [],
    }
    assert profiles.wire(profile, {"model": "other"})["model"] == "other"


def test_what_is_told_is_what_a_runner_takes():
    from workers.runner.messages import Profile

    for name in ("opencode", "claude", "codex", "gemini"):
        profile = AgentProfile.objects.get(name=name)
        assert Profile.model_validate(profiles.wire(profile, {})).command == profile.command


def test_a_form_gives_lines_numbers_and_times():
    profile = create_profile(
        {
            **GIVEN,
            "arguments": "--one\r\n\r\n--two words\r\n",
            "environment": "A=1\r\nB=two=2",
            "max_sessions": " 3 ",
            "handshake_seconds": "90",
            "silence_seconds": "5m",
            "wall_seconds": "1h",
            "login_files": "CODEX_HOME/auth.json",
        }
    )
    profile.refresh_from_db()
    assert profile.arguments == ["--one", "--two words"]
    assert profile.environment == {"A": "1", "B": "two=2"}
    assert profile.max_sessions == 3
    assert (profile.handshake_seconds, profile.silence_seconds, profile.wall_seconds) == (90, 300, 3600)


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("name", "../etc", "must consist of"),
        ("name", "opencode", "another profile"),
        ("title", " ", "must not be empty"),
        ("command", "", "is required"),
        ("command", "opencode acp", 'put "acp" under arguments'),
        ("command", "./agent", "absolute path"),
        ("command", "a\nb", "one line"),
        ("arguments", [1], "must be text"),
        ("arguments", ["a\x00"], "NUL"),
        ("environment", "no equals sign", "NAME=value"),
        ("environment", {"SPECYARD_X": "1"}, "Specyard's own"),
        ("environment", {"1A": "1"}, "cannot be the name"),
        ("permission", "always", "'ask', 'listed' or 'allow'"),
        ("max_sessions", "0", "at least 1"),
        ("max_sessions", "many", "whole number"),
        ("max_sessions", 10**9, "at most 1000"),
        ("handshake_seconds", "0", "between 1s and 24h"),
        ("handshake_seconds", "soon", "duration"),
        ("silence_seconds", "25h", "between 1s and 24h"),
        ("wall_seconds", 9, "between 10s and 24h"),
        ("wall_seconds", True, "whole number"),
        ("login_files", "/etc/passwd", "inside"),
        ("login_files", "XDG_DATA_HOME/../../x", "inside"),
        ("login_files", "opencode/auth.json", "VARIABLE/path"),
        ("model", "a\nb", "one line"),
        ("unknown", "x", "unknown key"),
    ],
)
def test_a_bad_value_is_refused_by_field(field, value, part):
    (path, message), *others = refusal({field: value}).items()
    assert path.partition("[")[0].partition(".")[0] == field
    assert part in message
    assert others == []


def test_secrets_are_set_replaced_and_removed_one_by_one():
    profile = create_profile(GIVEN, {"ONE": "value-1", "TWO": "value-2"})
    update_profile(profile, {"title": "Other"}, {"TWO": "wert-zwei", "THREE": "value-3"})
    assert values_of(profile) == {"ONE": "value-1", "TWO": "wert-zwei", "THREE": "value-3"}
    update_profile(profile, {}, {"ONE": None, "NEVER": None})
    assert AgentProfile.objects.get(name="mine").secret_names == ["THREE", "TWO"]


@pytest.mark.parametrize(
    ("secrets", "part"),
    [
        ({"A B": "hidden"}, "cannot be the name"),
        ({"SPECYARD_KEY": "hidden"}, "Specyard's own"),
        ({"KEY": "hidden\x00"}, "NUL"),
        ({"KEY": "hidden" * 10_000}, "at most 20,000"),
        ({"KEY": "  "}, "KEY: has no value"),
        ({"KEY": "short"}, "KEY: must have a line of at least 6 characters"),
    ],
)
def test_a_bad_secret_is_refused_without_its_value(secrets, part):
    errors = refusal({}, secrets)
    assert part in errors["secrets"]
    assert not any(value.strip() and value in errors["secrets"] for value in secrets.values())


def test_a_profile_that_somebody_needs_is_neither_deleted_nor_renamed():
    profile = create_profile(GIVEN)
    project = make.project(default_profile="mine")
    for problem in ("default profile of the project", "needs it for its chunk 2"):
        with pytest.raises(ProfileInUse, match=problem):
            remove_profile(profile)
        with pytest.raises(SpecInvalid, match=f'name: must stay "mine".*{problem}'):
            update_profile(profile, {"name": "yours"})
        Project.objects.filter(pk=project.pk).update(default_profile="")
        chunk = {"review": {"agent": {"profile": "mine", "instructions": ""}}}
        make.spec("true", chunk)
    Chunk.objects.update(review={}, executor="agent", params={"profile": "mine"})
    with pytest.raises(ProfileInUse, match="for its chunk"):
        remove_profile(profile)
    Chunk.objects.update(executor="command")
    profile.refresh_from_db()
    assert update_profile(profile, {"name": "yours"}).name == "yours"
    remove_profile(profile)
    assert not AgentProfile.objects.filter(name="yours").exists()


def test_other_layers_are_asked_before_a_profile_goes():
    def answer(name: str, **_: object) -> str:
        return f"Worker 12 needs {name}."

    profile = create_profile(GIVEN)
    profile_in_use.connect(answer)
    try:
        with pytest.raises(ProfileInUse, match="Worker 12 needs mine"):
            remove_profile(profile)
    finally:
        profile_in_use.disconnect(answer)
    remove_profile(profile)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"title": ""},
        {"permission": "x"},
        {"max_sessions": 0},
        {"silence_seconds": 0},
        {"wall_seconds": 9},
    ],
)
def test_the_database_refuses_nonsense(fields):
    with pytest.raises(IntegrityError):
        AgentProfile.objects.create(**{**GIVEN, **fields})
