"""What an agent gets to know, what becomes of what it tells, and that its secrets stay between engine and runner."""

import json
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings

from specs.agents import AgentProfile
from specs.secrets import remove_secret, set_secret
from tests.support import make
from tests.support.driving import Background, attempts, now, running_attempt
from tests.support.puppets import Puppet, Puppets
from tests.support.wait import until
from workers import driving
from workers.models import Attempt, Event, Worker, accept
from workers.models.usage import usage_by_day
from workers.states import WorkerStatus

pytestmark = pytest.mark.django_db(transaction=True)

Begun = tuple[Worker, Puppet, "Future[None]"]


@pytest.fixture
def profile() -> AgentProfile:
    return make.profile(model="large", wall_seconds=120)


@pytest.fixture
def begin(background: Background, puppets: Puppets, profile: AgentProfile, tmp_path: Path) -> Any:
    """Have an engine begin to drive a worker with these chunks."""

    def begin(*chunks: dict[str, Any], **fields: Any) -> Begun:
        project = make.project(tmp_path, default_profile=profile.name)
        worker = make.worker(*(make.for_agent(**chunk) for chunk in chunks or ({},)), project=project, **fields)
        done = background(worker)
        return worker, puppets.runner(worker), done

    return begin


# What it gets to know


def test_an_agent_gets_the_chunk_as_the_spec_says_it(begin: Any, profile: AgentProfile) -> None:
    first = {"key": "walls", "instructions": "Paint.", "acceptance": ["It is blue."], "files": ["walls.py"]}
    worker, puppet, done = begin(first, {"key": "roof"})
    execute = puppet.asked_for("execute")
    assert execute["task"] == {
        "spec": worker.title,
        "title": "Chunk 1",
        "key": "walls",
        "ordinal": 1,
        "total": 2,
        "instructions": "Paint.",
        "acceptance": ["It is blue."],
        "files": ["walls.py"],
        "passed": [],
        "note": "",
        "undone": False,
    }
    assert (execute["profile"]["name"], execute["profile"]["model"]) == (profile.name, "large")
    assert execute["profile"]["secrets"] == {"API_KEY": "s3cr3t-of-the-agent"}
    assert execute["agent_data"] == str(settings.SPECYARD.data / "agents" / worker.folder)
    assert execute["session"] == ""
    puppet.finish()
    assert puppet.asked_for("execute")["task"]["passed"] == [{"title": "Chunk 1", "commit": ""}]
    puppet.finish()
    done.result(10)
    assert now(worker).status == WorkerStatus.COMPLETED


def test_a_chunk_names_its_profile_model_and_mode(begin: Any) -> None:
    other = make.profile()
    _, puppet, done = begin({"params": {"profile": other.name, "model": "small", "mode": "plan"}})
    told = puppet.asked_for("execute")["profile"]
    assert (told["name"], told["model"], told["mode"]) == (other.name, "small", "plan")
    puppet.finish()
    done.result(10)


def test_the_shorter_of_the_times_of_chunk_and_profile_holds(begin: Any) -> None:
    _, puppet, done = begin({"timeout": 60}, {"timeout": 3600})
    assert puppet.asked_for("execute")["timeout"] == 60.0
    puppet.finish()
    assert puppet.asked_for("execute")["timeout"] == 120.0
    puppet.finish()
    done.result(10)


def test_a_profile_that_was_edited_counts_from_the_next_attempt(begin: Any, profile: AgentProfile) -> None:
    _, puppet, done = begin({}, {})
    puppet.asked_for("execute")
    AgentProfile.objects.update(model="larger")
    puppet.finish()
    assert puppet.asked_for("execute")["profile"]["model"] == "larger"
    puppet.finish()
    done.result(10)


def test_a_command_gets_nothing_of_that(begin: Any) -> None:
    command = {"executor": "command", "params": {"run": "true"}, "review": {"command": "true"}}
    _, puppet, done = begin(command)
    execute = puppet.asked_for("execute")
    assert not execute.keys() & {"task", "profile", "session", "agent_data", "agent"}
    puppet.finish()
    review = puppet.asked_for("review")
    assert not review.keys() & {"task", "profile", "session", "agent_data", "agent"}
    assert review["command"] == "true"
    puppet.finish()
    done.result(10)


def test_an_agent_reviews_with_a_profile_of_its_own(begin: Any) -> None:
    critic = make.profile(name="critic")
    review = {"agent": {"profile": "critic", "instructions": "Be strict."}}
    worker, puppet, done = begin({"executor": "command", "params": {"run": "true"}, "review": review})
    assert "profile" not in puppet.asked_for("execute")
    puppet.finish()
    asked = puppet.asked_for("review")
    assert asked["command"] == ""
    assert asked["agent"]["profile"]["name"] == critic.name
    assert asked["agent"]["instructions"] == "Be strict."
    assert asked["agent"]["task"]["title"] == "Chunk 1"
    assert asked["agent"]["base"] == ""
    assert asked["agent"]["own"] is False  # it works in the directory of the project
    assert asked["agent_data"]
    puppet.tell("session", id="of-the-critic", profile="critic", resumed=False)
    puppet.tell("usage", tokens_in=7, tokens_out=1, cached_read=0, cached_written=0, cost=None, currency="")
    puppet.finish()
    done.result(10)
    worker = now(worker)
    assert (worker.status, worker.session_id, worker.tokens_in) == (WorkerStatus.COMPLETED, "", 7)
    assert Attempt.objects.get().profile == "critic"


def test_command_and_agent_review_in_one_request(begin: Any) -> None:
    _, puppet, done = begin({"review": {"command": "make test", "agent": {}}})
    puppet.asked_for("execute")
    puppet.finish()
    review = puppet.asked_for("review")
    assert (review["command"], review["agent"]["instructions"]) == ("make test", "")
    puppet.finish()
    done.result(10)


def test_what_is_secret_is_told_to_the_runner_and_to_nobody_else(begin: Any, caplog: pytest.LogCaptureFixture) -> None:
    worker, puppet, done = begin({"review": {"agent": {}}})
    puppet.asked_for("execute")
    puppet.tell("session", id="s1", profile="any", resumed=False)
    puppet.tell("asked", question="1.1:execute#1", what="blocked", title="", text="What now?")
    until(lambda: now(worker).attention, what="it asks")
    now(worker).questions.get().respond("", "Go on.", "mira")
    puppet.was_told("answer")
    puppet.finish()
    puppet.asked_for("review")
    puppet.fail()
    puppet.asked_for("execute")
    puppet.tell("nonsense")
    puppet.tell("error", error="it refuses")
    done.result(10)
    assert now(worker).status == WorkerStatus.FAILED
    ours = [model for model in apps.get_models() if model is not AgentProfile]
    rows = [row for model in ours for row in model.objects.values_list()]
    assert not [row for row in rows if "s3cr3t" in str(row)]
    assert "s3cr3t" not in caplog.text
    assert "it refuses" in caplog.text
    logs = settings.SPECYARD.data / "logs" / worker.folder
    assert not [path for path in logs.rglob("*") if b"s3cr3t" in path.read_bytes()]


# Sessions


def test_the_session_is_kept_for_the_next_runner(begin: Any, puppets: Puppets, profile: AgentProfile) -> None:
    worker, puppet, done = begin()
    puppet.asked_for("execute")
    puppet.tell("session", id="s1", profile=profile.name, resumed=False)
    until(lambda: now(worker).session_id == "s1", what="the session is known")
    assert running_attempt(worker).profile == profile.name
    puppet.die()
    second = puppets.runner(worker, 2)
    assert second.asked_for("execute")["session"] == "s1"
    second.tell("session", id="s2", profile=profile.name, resumed=False)
    second.finish()
    done.result(10)
    assert (now(worker).session_id, now(worker).session_profile) == ("s2", profile.name)
    assert attempts(worker) == [(1, 1, "lost", "runner_lost"), (1, 2, "passed", "")]


def test_the_session_of_a_runner_that_died_before_anybody_listened_is_known(
    begin: Any, puppets: Puppets, profile: AgentProfile, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, puppet, done = begin()
    puppet.asked_for("execute")
    let_go(done, monkeypatch)
    puppet.tell("session", id="s1", profile=profile.name, resumed=False)
    puppet.die()
    done = background(now(worker), driving.adopt)
    second = puppets.runner(worker, 2)
    assert second.asked_for("execute")["session"] == "s1"
    second.finish()
    done.result(10)


def test_another_profile_does_not_get_the_session(begin: Any, profile: AgentProfile) -> None:
    other = make.profile()
    _, puppet, done = begin({}, {"params": {"profile": other.name}}, {})
    for session in ("", "", ""):
        execute = puppet.asked_for("execute")
        assert execute["session"] == session
        puppet.tell("session", id=f"of-{execute['profile']['name']}", profile=execute["profile"]["name"], resumed=False)
        puppet.finish()
    done.result(10)


def test_a_worker_that_continues_another_has_its_session_and_none_of_its_costs(
    begin: Any, profile: AgentProfile
) -> None:
    worker, puppet, done = begin()
    puppet.asked_for("execute")
    puppet.tell("session", id="s1", profile=profile.name, resumed=False)
    puppet.finish()
    done.result(10)
    worker = now(worker)
    again = accept(worker.spec, slot=make.free_slot(), node=worker.node, by="mira", continues=worker)
    assert (again.session_id, again.session_profile, again.tokens_in) == ("s1", profile.name, 0)


# Usage, transcript, waiting


def test_what_is_used_is_summed_over_requests_attempts_and_the_worker(begin: Any, profile: AgentProfile) -> None:
    worker, puppet, done = begin({"review": {"agent": {}}}, {})
    puppet.asked_for("execute")
    puppet.tell("session", id="s1", profile=profile.name, resumed=False)
    for tokens in (100, 250):
        puppet.tell(
            "usage", tokens_in=tokens, tokens_out=10, cached_read=5, cached_written=2, cost=0.12345, currency="USD"
        )
    puppet.finish()
    puppet.asked_for("review")
    puppet.tell("usage", tokens_in=50, tokens_out=5, cached_read=0, cached_written=0, cost=0.5, currency="USD")
    puppet.finish()
    puppet.asked_for("execute")
    puppet.tell("session", id="s1", profile=profile.name, resumed=False)
    puppet.tell("usage", tokens_in=1, tokens_out=2, cached_read=0, cached_written=0, cost=None, currency="")
    puppet.finish()
    done.result(10)
    names = ("tokens_in", "tokens_out", "cost", "cached_read", "cached_written")
    used = list(Attempt.objects.order_by("pk").values_list(*names))
    assert used == [(300, 15, Decimal("0.6234"), 5, 2), (1, 2, Decimal(0), 0, 0)]
    worker = now(worker)
    total = (301, 17, Decimal("0.6234"), 5, 2)
    assert tuple(getattr(worker, name) for name in names) == total
    [day] = usage_by_day(worker.created_at)
    assert (day.profile, day.attempts) == (profile.name, 2)
    assert tuple(getattr(day, name) for name in names) == total
    assert day.day == worker.created_at.date()


def test_dollars_only_are_counted_as_dollars(begin: Any) -> None:
    worker, puppet, done = begin()
    puppet.asked_for("execute")
    puppet.tell("usage", tokens_in=10, tokens_out=1, cached_read=0, cached_written=0, cost=3.5, currency="EUR")
    puppet.finish()
    done.result(10)
    assert (now(worker).tokens_in, now(worker).cost) == (10, Decimal(0))


def test_an_owner_that_takes_over_counts_nothing_twice(
    begin: Any, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, puppet, done = begin()
    puppet.asked_for("execute")
    puppet.tell("usage", tokens_in=100, tokens_out=10, cached_read=0, cached_written=0, cost=1.0, currency="USD")
    puppet.tell("transcript", bytes=77)
    until(lambda: running_attempt(worker).transcript_bytes == 77, what="it is counted")
    let_go(done, monkeypatch)
    puppet.tell("usage", tokens_in=150, tokens_out=20, cached_read=0, cached_written=0, cost=2.0, currency="USD")
    done = background(now(worker), driving.adopt)
    until(lambda: now(worker).tokens_in == 150, what="what was used meanwhile is counted")
    puppet.tell("usage", tokens_in=160, tokens_out=21, cached_read=0, cached_written=0, cost=2.5, currency="USD")
    puppet.finish()
    done.result(10)
    worker = now(worker)
    assert (worker.tokens_in, worker.tokens_out, worker.cost) == (160, 21, Decimal("2.5"))
    assert Attempt.objects.get().transcript_bytes == 77


def test_a_transcript_that_grows_is_told_to_open_pages(begin: Any) -> None:
    worker, puppet, done = begin()
    execute = puppet.asked_for("execute")
    for size in (100, 250):
        puppet.tell("transcript", bytes=size)
    puppet.finish()
    done.result(10)
    attempt = Attempt.objects.select_related("chunk").get()
    assert attempt.transcript_bytes == 250
    assert str(attempt.transcript_path) == execute["log"].removesuffix(".log") + ".ndjson"
    told = [event.data for event in Event.objects.filter(worker_id=worker.pk)]
    assert [data["transcript_bytes"] for data in told if "transcript_bytes" in data] == [100, 250]


def test_what_it_tells_at_the_end_of_a_stopped_attempt_is_kept(begin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, puppet, done = begin()
    puppet.asked_for("execute")
    quits = puppet._quit

    def last_words() -> None:
        puppet.tell("usage", tokens_in=9, tokens_out=1, cached_read=0, cached_written=0, cost=None, currency="")
        puppet.tell("transcript", bytes=500)
        quits()

    monkeypatch.setattr(puppet, "_quit", last_words)
    now(worker).request_stop("mira")
    done.result(10)
    attempt = Attempt.objects.get()
    assert (attempt.status, attempt.transcript_bytes, attempt.tokens_in) == ("interrupted", 500, 9)


def test_what_it_waits_for_by_itself_is_shown_until_it_goes_on(begin: Any) -> None:
    worker, puppet, done = begin()
    puppet.asked_for("execute")
    puppet.tell("waiting", reason="provider_rate_limit", until=None, text="Rate limit until 14:05")
    until(lambda: now(worker).waits_for == "Rate limit until 14:05", what="it says so")
    puppet.tell("going_on")
    until(lambda: now(worker).waits_for == "", what="it goes on")
    puppet.tell("waiting", reason="provider_rate_limit", until="2026-11-20T14:05:00+00:00", text="Too many requests.")
    until(lambda: now(worker).waits_for == "Until 2026-11-20T14:05:00+00:00: Too many requests.", what="it says so")
    puppet.tell("waiting", reason="provider_connection", until=None, text="")
    until(lambda: now(worker).waits_for == "provider_connection", what="it says so")
    puppet.finish()
    done.result(10)
    assert now(worker).waits_for == ""


def test_what_is_told_about_another_attempt_changes_nothing(begin: Any) -> None:
    worker, puppet, done = begin()
    execute = puppet.asked_for("execute")
    puppet.tell(
        "usage",
        attempt=execute["attempt"] + 1,
        tokens_in=9,
        tokens_out=9,
        cached_read=0,
        cached_written=0,
        cost=9,
        currency="USD",
    )
    puppet.tell("asked", attempt=None, question="x", what="blocked", title="", text="?")
    puppet.finish()
    done.result(10)
    assert (now(worker).tokens_in, now(worker).questions.count()) == (0, 0)


def let_go(done: "Future[None]", monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the owner let go of everything and leave the runners alone; another one may come."""
    driving.owned.superseded.set()
    done.result(10)
    monkeypatch.setattr(driving, "owned", driving.Owned())


def test_the_journal_of_a_puppet_is_what_it_told(begin: Any) -> None:
    """So that what is read after its death is the same."""
    _, puppet, done = begin()
    puppet.asked_for("execute")
    puppet.finish()
    done.result(10)
    lines = (puppet.directory / "journal.ndjson").read_text().splitlines()
    assert [json.loads(line) for line in lines] == puppet.entries


def test_secrets_of_a_project_that_were_changed_count_from_the_next_attempt(
    background: Background, puppets: Puppets, tmp_path: Path
) -> None:
    project = make.project(tmp_path, secrets={"KEY": "value-one"})
    worker = make.worker("true", "true", project=project, review="true")
    done, puppet = background(worker), puppets.runner(worker)
    assert puppet.asked_for("execute")["secrets"] == {"KEY": "value-one"}
    set_secret(project, "KEY", "value-two")
    puppet.finish()
    assert puppet.asked_for("review")["secrets"] == {"KEY": "value-one"}
    puppet.finish()
    asked = puppet.asked_for("execute")
    assert asked["secrets"] == {"KEY": "value-two"}
    assert "KEY" not in asked["env"]
    remove_secret(project, "KEY")
    puppet.finish()
    puppet.asked_for("review")
    puppet.finish()
    done.result(10)
