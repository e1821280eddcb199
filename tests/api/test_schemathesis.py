"""The whole document, tried by schemathesis with what it allows and what it does not, also one operation after another.

As an operator, a viewer and nobody: nothing breaks, and every answer is one that the document names.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.conf import settings
from django.contrib.auth.models import Group, User
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

from dashboard import tokens
from dashboard.access import OPERATORS
from dashboard.api import document
from dashboard.models import Scope
from queue_app import dispatch
from tests.support import make
from workers.models import Attempt, Node, Worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
EXAMPLES = 5  # of each operation
SECONDS = 18  # for each role; what was found by then counts
CONFIG: dict[str, Any] = {
    "seed": 1,
    "max-time": SECONDS,
    "generation": {"max-examples": EXAMPLES, "deterministic": True, "database": "none", "unique-inputs": False},
    "phases": {"stateful": {"generation": {"max-examples": EXAMPLES}}},
    "checks": {
        # A directory that is not there fits the document, and so does the number of a spec that does not exist.
        "positive_data_acceptance": {"enabled": False},
        # It sends tokens that were never given until it is slowed (429); that nobody gets in is tested elsewhere.
        "ignored_auth": {"enabled": False},
    },
}


@pytest.fixture
def yard(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something of everything, and nobody is held up."""
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


def failures(role: str, url: str) -> Iterator[str]:
    config = SchemathesisConfig.from_dict({**CONFIG, "headers": headers(role), "base-url": url})
    schema = schemathesis.openapi.from_dict(json.loads(document.text()), config=config)
    tried = 0
    for event in from_schema(schema).execute():
        if isinstance(event, FatalError | NonFatalError):
            yield f"{event}"
        if isinstance(event, ScenarioFinished):
            tried += len(event.recorder.cases)
            for case, checks in event.recorder.checks.items():
                for check in checks:
                    if check.failure_info is not None:
                        yield f"{described(event.recorder.cases[case].value)}: {check.failure_info.failure}"
    assert tried > 100


@pytest.mark.parametrize("role", ["operator", "viewer", "nobody"])
def test_nothing_breaks_and_every_answer_is_as_the_document_says(yard: None, live_server: Any, role: str) -> None:
    found = list(failures(role, live_server.url))
    assert not found, "\n\n".join(found)
