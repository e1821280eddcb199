"""Workers whose chunks the real opencode carries out, with a model that answers by a script."""

import os
from pathlib import Path
from typing import Any

import psutil

from specs.agents import AgentProfile
from specs.secrets import change_secrets
from tests.support import make
from tests.support.driving import now
from tests.support.openai_server import Answer, Model, answer, call, say
from tests.support.opencode import Opencode
from tests.support.repository import git, repository
from tests.support.wait import until
from workers import launch
from workers.models import Question, Worker


class Crew:
    """A project in a git repository, and the profile `opencode` for it."""

    def __init__(self, opencode: Opencode, model: Model, directory: Path) -> None:
        self.opencode, self.model = opencode, model
        self.source = repository(directory / "project")
        self.project = make.project(self.source, isolation="worktree", default_profile="opencode")

    def profile(self, config: dict[str, Any] | None = None, **fields: Any) -> AgentProfile:
        """Let the profile start opencode with this configuration."""
        variables = self.opencode.settings(self.model, **(config or {}))
        values = {
            "command": self.opencode.binary,
            "arguments": ["acp"],
            "environment": variables,
            "model": "",
            "mode": "",
            "login_files": [],
        }
        secrets = fields.pop("secrets", {})
        profile, _ = AgentProfile.objects.update_or_create(name="opencode", defaults={**values, **fields})
        change_secrets(profile, secrets)
        return profile

    def worker(self, *chunks: dict[str, Any], title: str = "Fruit", **fields: Any) -> Worker:
        """A worker for a spec with these chunks."""
        if not AgentProfile.objects.filter(name="opencode", command=self.opencode.binary).exists():
            self.profile()
        made = (make.for_agent(**chunk) for chunk in chunks or ({},))
        return make.worker(*made, project=self.project, title=title, **fields)

    def asked(self, times: int) -> None:
        """Wait until the model was asked so often."""
        until(lambda: len(self.model.requests) >= times, 60, f"the model is asked {times} times")

    def on_branch(self, worker: Worker, name: str) -> str:
        return git(self.source, "show", f"{now(worker).branch}:{name}")


def writes(name: str, text: str, **where: Any) -> tuple[Answer, Answer]:
    """A turn that writes one file."""
    return answer(call("write", filePath=name, content=text), **where), answer(say(f"Wrote {name}."), **where)


def runner_of(worker: Worker) -> int:
    """The pid of the worker's runner, once there is one."""
    run = f"{worker.folder}-{now(worker).incarnation}"
    return int(until(lambda: launch.ping()["runs"].get(run), 30, "the runner runs")["pid"])


def agent_of(worker: Worker) -> psutil.Process:
    """The process of the worker's agent, once there is one."""

    def found() -> psutil.Process | None:
        children = psutil.Process(runner_of(worker)).children(recursive=True)
        return next((child for child in children if os.path.basename(child.exe()) == "opencode"), None)

    return until(found, 30, "opencode runs")


def question(worker: Worker) -> Question:
    """What the worker waits for a person for."""
    return until(lambda: worker.questions.filter(answered_at=None, closed="").first(), 60, "a person is asked")
