"""Makers of rows, with what a test does not care about filled in."""

import itertools
from pathlib import Path
from typing import Any

from specs.agents import AgentProfile
from specs.models import Chunk, Project, Spec
from specs.secrets import change_secrets
from workers.maintenance import capabilities
from workers.models import Attempt, Node, Question, Worker, accept
from workers.models.question import stuck_options
from workers.states import QuestionKind

_numbers = itertools.count(1)


def project(directory: Path | str = "/tmp", **fields: Any) -> Project:
    defaults = {"name": f"project-{next(_numbers)}", "directory": str(directory), "isolation": "in_place"}
    secrets = fields.pop("secrets", {})
    made = Project.objects.create(**{**defaults, **fields})
    change_secrets(made, secrets)
    return made


def spec(*commands: str | dict[str, Any], project: Project | None = None, review: str = "", **fields: Any) -> Spec:
    """A spec with one `command` chunk per command; a dict gives a chunk's fields instead, `run` its command."""
    number = next(_numbers)
    made = Spec.objects.create(
        **{"project": project or globals()["project"](), "key": f"spec-{number}", "title": f"Spec {number}", **fields}
    )
    for ordinal, command in enumerate(commands or ("true",), start=1):
        given = dict(command) if isinstance(command, dict) else {"run": command}
        defaults = {
            "key": f"c{ordinal}",
            "title": f"Chunk {ordinal}",
            "executor": "command",
            "params": {"run": given.pop("run", "true")},
            "review": {"command": review} if review else {},
        }
        Chunk.objects.create(spec=made, ordinal=ordinal, **{**defaults, **given})
    return made


def node(name: str = "test-node", **fields: Any) -> Node:
    made = Node.register(name, f"instance-{next(_numbers)}", capabilities(), 64)
    if fields:
        Node.objects.filter(pk=made.pk).update(**fields)
        made.refresh_from_db()
    return made


def worker(*commands: str | dict[str, Any], slot: int | None = None, **fields: Any) -> Worker:
    """An accepted worker that nobody has claimed."""
    where = Node.objects.filter(name="test-node").first() or node()
    taken = slot or free_slot()
    return accept(fields.pop("spec", None) or spec(*commands, **fields), slot=taken, node=where, by="mira")


def profile(**fields: Any) -> AgentProfile:
    """How an agent is started, which is not there."""
    name = f"agent-{next(_numbers)}"
    secrets = fields.pop("secrets", {"API_KEY": "s3cr3t-of-the-agent"})
    made = AgentProfile.objects.create(**{"name": name, "title": name, "command": "/nowhere/agent", **fields})
    change_secrets(made, secrets)
    return made


def for_agent(**chunk: Any) -> dict[str, Any]:
    """The fields of a chunk that an agent carries out."""
    return {"executor": "agent", "params": {}, **chunk}


def agents_worker(*chunks: dict[str, Any], **fields: Any) -> Worker:
    """A claimed worker whose chunks are carried out by an agent; nobody drives it."""
    accepted = worker(*(for_agent(**chunk) for chunk in chunks or ({},)), **fields)
    found = Worker.claim(accepted.pk, accepted.epoch)
    assert found is not None
    return found


ALLOW = {"id": "once", "name": "Allow once", "kind": "allow_once"}
DENY = {"id": "no", "name": "Deny", "kind": "reject_once"}


def question(worker: Worker | None = None, kind: str = "permission", **facts: Any) -> Question:
    """What the running attempt (one is begun if need be) of an agent's worker asks a person."""
    worker = worker or agents_worker()
    found = Attempt.objects.filter(chunk__worker=worker).order_by("-pk").first()
    attempt = found or Attempt.open(worker, worker.chunks.order_by("ordinal")[0])
    number = next(_numbers)
    offered = {"permission": [ALLOW, DENY], "blocked": [], "stuck": stuck_options()}[kind]
    defaults = {"title": f"Question {number}", "text": f"May I do {number}?", "options": offered}
    return Question.ask(worker, attempt, f"1.1:execute#{number}", QuestionKind(kind), **{**defaults, **facts})


def free_slot() -> int:
    """A slot that nobody has."""
    return next(_numbers) + 1000
