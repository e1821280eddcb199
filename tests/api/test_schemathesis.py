"""The whole document, tried by schemathesis with what it allows and what it does not, also one operation after another.

As an operator, a viewer and nobody: nothing breaks, and every answer is one that the document names. What is tried is
bounded by numbers and not by time, and is the same each time.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management.color import no_style
from django.core.servers.basehttp import WSGIRequestHandler
from django.db import connection
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import EngineFinished, FatalError, NonFatalError, PhaseFinished, ScenarioFinished
from schemathesis.engine.run import PhaseName

from dashboard import tokens
from dashboard.access import OPERATORS
from dashboard.api import document
from dashboard.models import Scope
from queue_app import dispatch
from tests.api.walking import ADMINISTRATORS_ONLY
from tests.support import make
from workers.models import Attempt, Node, Worker

# Numbers begin with 1, so that those that are tried are those that are there, whatever ran before.
pytestmark = [pytest.mark.django_db(transaction=True, reset_sequences=True), pytest.mark.timeout(300)]
EXAMPLES = 3  # of each operation
LONGEST = 8
OFF = {"enabled": False}
YAML = "title: Tidy\nchunks:\n  - title: One\n    params: {run: 'true'}\n"
KNOWN: dict[str, tuple[list[Any], float]] = {  # values that are likely to be there, and how often they are tried
    "path.id": ([1, 2, 3], 0.7),
    "body.spec": ([1, 2, 3], 0.7),
    "body.project": ([1, 2, 3], 0.7),
    "body.entry": ([1, 2], 0.7),
    "body.text": ([YAML], 0.7),
    "body.directory": (["/tmp"], 0.7),
    "body.name": (["website", "shop", "my-agent"], 0.7),
    "body.command": (["agent"], 0.7),
    "query.after": ([""], 0.7),
    "header.If-Match": (["*"], 0.7),
}
CONFIG: dict[str, Any] = {
    "seed": 1,
    "dictionaries": {name: {"values": values} for name, (values, _) in KNOWN.items()},
    "parameters": {name: {"dictionary": name, "probability": often} for name, (_, often) in KNOWN.items()},
    "generation": {"max-examples": EXAMPLES, "deterministic": True, "database": "none", "unique-inputs": False},
    "checks": {
        # A directory that is not there fits the document, and so does the number of a spec that does not exist.
        "positive_data_acceptance": OFF,
        # It sends tokens that were never given until it is slowed (429); that nobody gets in is tested elsewhere.
        "ignored_auth": OFF,
    },
    "operations": [
        # Whatever other headers a request has is nobody's business.
        {"include-operation-id": "follow_events", "checks": {"negative_data_rejection": OFF}},
        # A worker that was stopped and removed stays in the history.
        {"include-path-regex": "^/api/workers/{id}", "checks": {"use_after_free": OFF}},
        # None of the roles may do it, so nothing follows.
        {"include-operation-id": sorted(ADMINISTRATORS_ONLY), "phases": {"stateful": OFF}},
    ],
}


def stateful(sequences: int) -> dict[str, Any]:
    """So many sequences of operations that follow one another by the links of the document."""
    return {
        "generation": {"max-examples": sequences, "mode": "positive"},
        "max-steps": LONGEST,
        "inference": {"algorithms": []},  # the links say more, and only what is so
    }


@pytest.fixture
def yard(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something of everything, and nobody is held up."""
    with connection.cursor() as cursor:  # PostgreSQL counts from 1 also where rows are there: the shipped profiles
        for statement in connection.ops.sequence_reset_sql(no_style(), apps.get_models()):
            cursor.execute(statement)
    monkeypatch.setattr(settings, "SPECYARD", settings.SPECYARD.model_copy(update={"api_requests_per_minute": 0}))
    make.node()
    make.question()
    over = make.worker("true")
    claimed = Worker.claim(over.pk, over.epoch)
    assert claimed is not None
    Attempt.open(claimed, claimed.chunks.get())
    claimed.completed()
    dispatch.set_limit(1, "mira")
    dispatch.enqueue(make.spec("true", "true"), by="mira")
    assert Node.objects.exists()


def headers(role: str) -> dict[str, str]:
    """What a program of that role sends."""
    if role == "nobody":
        return {}
    user = User.objects.create_user(role)
    if role == OPERATORS:
        user.groups.add(Group.objects.get_or_create(name=OPERATORS)[0])
    _, secret = tokens.create(user, "schemathesis", Scope.ACT if role == OPERATORS else Scope.READ)
    return {"Authorization": f"Bearer {secret}"}


def described(case: schemathesis.Case) -> str:
    return f"{case.method} {case.path} {case.path_parameters} {case.query} {case.headers} {case.body!r}"


@dataclass
class Findings:
    """What came of it."""

    problems: list[str] = field(default_factory=list)
    tried: Counter[PhaseName] = field(default_factory=Counter)
    finished: set[PhaseName] = field(default_factory=set)
    followed: Counter[str] = field(default_factory=Counter)  # links that led to something that was done


def explored(role: str, url: str, phases: dict[str, Any]) -> Findings:
    config = SchemathesisConfig.from_dict({**CONFIG, "phases": phases, "headers": headers(role), "base-url": url})
    schema = schemathesis.openapi.from_dict(json.loads(document.text()), config=config)
    found = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, FatalError | NonFatalError):
            found.problems.append(f"{event}")
        if isinstance(event, PhaseFinished) and event.status in (Status.SUCCESS, Status.FAILURE):
            found.finished.add(event.phase.name)
        if isinstance(event, EngineFinished):
            assert event.stop_reason == "completed"
        if isinstance(event, ScenarioFinished):
            found.tried[event.phase] += len(event.recorder.cases)
            found.problems += failed(event)
            found.followed.update(followed(event))
    return found


def failed(event: ScenarioFinished) -> Iterator[str]:
    for case, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                yield f"{described(event.recorder.cases[case].value)}: {check.failure_info.failure}"


def followed(event: ScenarioFinished) -> Iterator[str]:
    for number, node in event.recorder.cases.items():
        interaction = event.recorder.interactions.get(number)
        response = interaction.response if interaction else None
        if node.transition is not None and response is not None and response.status_code < 300:
            yield node.transition.id


@pytest.mark.parametrize(
    ("role", "coverage", "sequences", "links"),  # how much is tried, and how many links at least are followed
    [("operator", {}, 40, 6), ("viewer", {"generation": {"mode": "positive"}}, 15, 2), ("nobody", OFF, 5, 0)],
    ids=["operator", "viewer", "nobody"],
)
def test_nothing_breaks_and_every_answer_is_as_the_document_says(
    yard: None,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    role: str,
    coverage: dict[str, Any],
    sequences: int,
    links: int,
) -> None:
    # Heads and bodies are sent one after the other: Nagle's algorithm would hold each answer up for 40 ms.
    monkeypatch.setattr(WSGIRequestHandler, "disable_nagle_algorithm", True)
    found = explored(role, live_server.url, {"coverage": coverage, "stateful": stateful(sequences)})
    assert not found.problems, "\n\n".join(found.problems)
    assert found.finished >= {PhaseName.EXAMPLES, PhaseName.FUZZING, PhaseName.STATEFUL_TESTING}
    assert (PhaseName.COVERAGE in found.finished) == (coverage is not OFF)
    assert found.tried[PhaseName.STATEFUL_TESTING] > sequences
    assert len(found.followed) >= links, found.followed
