"""What an owner asks of its runner: each request with its name in the journal and all that the runner must know."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

from specs import limits, profiles, secrets
from specs.errors import ProfileMissing, SecretUnreadable
from specs.usual import setup_time_limit
from workers import launch, workspace
from workers.launch import Entry
from workers.link import GivenUp, RunnerLink
from workers.models import Attempt, Question, Worker, WorkerChunk, log_path, retrying
from workers.states import AGENT, AttemptStatus, ChunkOutcome, Reason, StuckOption
from workers.workspace import agent_data

logger = logging.getLogger(__name__)
COLLECT_SECONDS = 300.0  # for copying the files that a chunk declares


def name_of(attempt: Attempt, chunk: WorkerChunk) -> str:
    """What requests for the attempt are called in the journal: the third try at chunk 2 is "2.3".

    No primary key: a database that was restored gives those out again, and then they mean another chunk.
    """
    return f"{chunk.ordinal}.{attempt.number}"


def without_profile(sentence: str) -> Entry:
    """The result of a request that could not be made: nobody knows how to start the agent."""
    facts = {"reason": "profile_missing", "message": sentence, "findings": sentence}
    return {"outcome": "failed", "exit_code": None, **facts}


class Asking(RunnerLink):
    """Turns the plan of a worker into requests. Each raises what `request` raises."""

    def __init__(self, worker: Worker, *, fresh: bool) -> None:
        super().__init__(worker, fresh=fresh)
        self.workspace = workspace.for_worker(worker.project, worker.folder, worker.spec.key if worker.spec else "spec")
        self._secrets: tuple[int | None, dict[str, str]] = (None, {})

    def inherit_session(self) -> None:
        """Take over what the agents of the worker that this one continues have stored, if it is to go on with that.

        Where it is not here, or its runner is still to end, the agent does not know the session and begins another.
        """
        own = self.worker.folder
        if not self.worker.session_id or agent_data(own).exists():
            return
        for before in self.earlier_of_session():
            if launch.is_alive(before.folder):
                return
            if agent_data(before.folder).is_dir():
                try:
                    workspace.inherit_agent_data(own, before.folder)
                except OSError as error:
                    logger.warning("%s does not get the session of worker %s: %s", self.worker, before.pk, error)
                return

    def earlier_of_session(self) -> Iterator[Worker]:
        """The workers before this one that have its session, the last first: those that never began left it behind."""
        number = self.worker.continues_id
        while number is not None:
            found = retrying(Worker.objects.filter(pk=number, session_id=self.worker.session_id).first)
            if found:
                yield found
            number = found.continues_id if found else None

    def ask_to_prepare(self) -> Entry:
        """Have the runner copy the project and run its setup command."""
        self.forget_interrupted("prepare")
        log = log_path(self.worker, 0)
        return self.request(
            "prepare",
            "prepare",
            **self.workspace.preparation(),
            env=self.variables(),
            secrets=self.secrets(),
            log=str(log),
            timeout=setup_time_limit(),
        )

    def ask_to_tear_down(self, command: str) -> Entry:
        """Have the runner run the project's teardown command."""
        self.forget_interrupted("teardown")
        return self.request(
            "prepare",
            "teardown",
            command=command,
            note="teardown",
            cwd=self.worker.workspace,
            env=self.variables(),
            secrets=self.secrets(),
            log=str(log_path(self.worker, 0)),
            timeout=setup_time_limit(),
        )

    def forget_interrupted(self, request: str) -> None:
        """Let what an earlier shutdown has cut off be done again."""
        if self.results.get(request, {}).get("outcome") == "interrupted":
            del self.results[request]

    def ask_to_restore(self, attempt: Attempt, chunk: WorkerChunk) -> Entry | None:
        """Have the worktree put back to the last passed commit where work may lie that did not pass.

        Gives the result only where that failed.
        """
        if not self.puts_back(attempt, chunk):
            return None
        result = self.request(
            "restore",
            f"{name_of(attempt, chunk)}:restore",
            branch=self.worker.branch,
            commit=self.worker.tip,
            **self.surroundings(attempt, chunk),
        )
        return None if result["outcome"] == "passed" else result

    def puts_back(self, attempt: Attempt, chunk: WorkerChunk) -> bool:
        """Whether the attempt begins with a worktree that is put back to the last passed commit."""
        return bool(self.worker.branch) and self.may_find_rests(attempt, chunk)

    def may_find_rests(self, attempt: Attempt, chunk: WorkerChunk) -> bool:
        """Whether work that did not pass may lie in the workspace, other than what an agent is in the middle of."""
        if attempt.number == 1:
            return self.worker.continues_id is not None or self.worker.failed + self.worker.skipped > 0
        before = retrying(chunk.attempts.filter(number=attempt.number - 1).first)
        broken_off = before is not None and before.status in (AttemptStatus.LOST, AttemptStatus.INTERRUPTED)
        # Its agent was at work, so that it began without rests, and has what it did in its session.
        return not (before and broken_off and chunk.executor == AGENT and before.profile)

    def goes_on(self, attempt: Attempt, chunk: WorkerChunk) -> bool:
        """Whether an agent finds in its worktree what an attempt that was broken off has done since `head`."""
        return bool(self.worker.branch) and attempt.number > 1 and not self.may_find_rests(attempt, chunk)

    def ask_for_checkpoint(self, attempt: Attempt, chunk: WorkerChunk) -> Entry:
        """Have what the chunk has changed committed."""
        worker = self.worker
        about = f"Spec: {worker.title}\nChunk: {chunk.ordinal} of {worker.total}, {chunk.key}\nWorker: {worker.pk}"
        return self.request(
            "checkpoint",
            f"{name_of(attempt, chunk)}:checkpoint",
            message=f"{chunk.title}\n\n{about}",
            branch=worker.branch,
            base=self.worker.tip,
            **self.surroundings(attempt, chunk),
        )

    def ask_to_collect(self, attempt: Attempt, chunk: WorkerChunk) -> Entry:
        """Have the files kept that the chunk declares; gives what `Attempt.kept` takes, also where that failed."""
        result = self.request(
            "collect",
            f"{name_of(attempt, chunk)}:collect",
            patterns=chunk.artifacts,
            target=str(attempt.artifacts_path),
            most=limits.ARTIFACTS,
            each=limits.ARTIFACT_SIZE,
            total=limits.ARTIFACTS_SIZE,
            **self.surroundings(attempt, chunk) | {"timeout": COLLECT_SECONDS},
        )
        if result["outcome"] == "passed":
            return {name: result["facts"][name] for name in ("artifacts", "reports", "left_out", "more")}
        return {"artifacts": [], "reports": [], "left_out": [{"path": "", "why": result["message"]}]}

    def ask_to_execute(self, attempt: Attempt, chunk: WorkerChunk) -> Entry:
        """Have the runner execute the chunk, with the findings of the last failed attempt."""
        fields = self.surroundings(attempt, chunk)
        if chunk.executor == AGENT:
            try:
                fields |= self.for_agent(attempt, chunk, fields["timeout"])
            except ProfileMissing as missing:
                return without_profile(str(missing))
        return self.request(
            "execute",
            f"{name_of(attempt, chunk)}:execute",
            attempt=attempt.pk,
            executor=chunk.executor,
            params=chunk.params,
            findings=self.findings_for(attempt, chunk),
            **fields,
        )

    def for_agent(self, attempt: Attempt, chunk: WorkerChunk, timeout: float) -> Entry:
        """What an agent must know beside what every chunk gets. Raises ProfileMissing. Holds secrets."""
        worker = self.worker
        profile = self.profile(chunk.params, attempt)
        return {
            "task": {**self.task(chunk), "undone": self.puts_back(attempt, chunk)},
            "profile": profile,
            "session": worker.session_id if worker.session_profile == profile["name"] else "",
            "base": self.worker.tip if self.goes_on(attempt, chunk) else "",
            "agent_data": str(agent_data(worker.folder)),
            "timeout": min(timeout, profile["wall"]),
        }

    def profile(self, wanted: dict[str, Any], attempt: Attempt) -> Entry:
        """How to start the agent that `wanted`, parameters or a review, names. Raises ProfileMissing. Holds secrets."""
        found = retrying(lambda: profiles.resolve(wanted.get("profile", ""), self.worker.project))
        told = self.decrypted(lambda: profiles.wire(found, wanted))
        # A process that is kept is started anew when these have changed; what the profile itself says is stronger.
        of_project = {name: value for name, value in self.secrets(attempt).items() if name not in found.environment}
        return {**told, "secrets": {**of_project, **told["secrets"]}}

    def task(self, chunk: WorkerChunk) -> Entry:
        """The chunk as the spec says it, what has passed before, and what a person said when it was stuck."""
        passed = self.worker.chunks.filter(outcome=ChunkOutcome.PASSED)
        retried = Question.about_failures(chunk).filter(option=StuckOption.RETRY)
        return {
            "spec": self.worker.title,
            "title": chunk.title,
            "key": chunk.key,
            "ordinal": chunk.ordinal,
            "total": self.worker.total,
            "instructions": chunk.instructions,
            "acceptance": chunk.acceptance,
            "files": chunk.files,
            "passed": retrying(lambda: list(passed.order_by("ordinal").values("title", "commit"))),
            "note": retrying(lambda: retried.values_list("answer", flat=True).first()) or "",
        }

    def findings_for(self, attempt: Attempt, chunk: WorkerChunk) -> str:
        """What the last failed attempt at the chunk has left to be read."""
        if attempt.number == 1:
            return ""
        earlier = chunk.attempts.filter(status=AttemptStatus.FAILED).order_by("-number")
        return retrying(lambda: earlier.values_list("findings", flat=True).first()) or ""

    def ask_to_review(self, attempt: Attempt, chunk: WorkerChunk) -> Entry:
        """Have the runner review the chunk: by its command, by its agent, or by both."""
        fields = self.surroundings(attempt, chunk)
        if "agent" in chunk.review:
            try:
                fields |= self.by_agent(attempt, chunk)
            except ProfileMissing as missing:
                return without_profile(str(missing))
        return self.request(
            "review",
            f"{name_of(attempt, chunk)}:review",
            attempt=attempt.pk,
            command=chunk.review.get("command", ""),
            **fields,
        )

    def by_agent(self, attempt: Attempt, chunk: WorkerChunk) -> Entry:
        """What an agent that reviews must know. Raises ProfileMissing. Holds secrets."""
        wanted = chunk.review["agent"]
        profile = self.profile(wanted, attempt)
        if not attempt.profile:
            attempt.with_profile(self.worker, profile["name"])  # what it uses counts for that profile
        review = {
            "profile": profile,
            "instructions": wanted.get("instructions", ""),
            "task": self.task(chunk),
            "base": self.worker.tip,
            "own": workspace.is_own(self.worker.workspace),
        }
        timeout = min(float(chunk.timeout), profile["wall"])
        return {"agent": review, "agent_data": str(agent_data(self.worker.folder)), "timeout": timeout}

    def granted(self, chunk: WorkerChunk) -> int:
        """How many attempts people have allowed beyond those of the spec."""
        if chunk.executor != AGENT:
            return 0
        return retrying(Question.about_failures(chunk).filter(option=StuckOption.RETRY).count)

    def surroundings(self, attempt: Attempt, chunk: WorkerChunk) -> Entry:
        """Where and how long a chunk runs, and what it sees."""
        variables = {
            "SPECYARD_CHUNK": chunk.key,
            "SPECYARD_ATTEMPT": str(attempt.number),
        }
        return {
            "cwd": self.worker.workspace,
            "env": self.variables() | variables,
            "secrets": self.secrets(attempt),
            "log": str(attempt.log_path),
            "timeout": float(chunk.timeout),
        }

    def variables(self) -> dict[str, str]:
        """The project's variables and those that name the worker."""
        return {
            **self.worker.project.environment,
            "SPECYARD_WORKER": str(self.worker.pk),
            "SPECYARD_WORKSPACE": self.worker.workspace or str(self.workspace.directory),
        }

    def secrets(self, attempt: Attempt | None = None) -> dict[str, str]:
        """The project's secrets, which go to the runner and nowhere else; for all of an attempt the same.

        Raises GivenUp.
        """
        number = attempt.pk if attempt is not None else None
        if number is None or number != self._secrets[0]:
            self._secrets = number, self.decrypted(lambda: secrets.values_of(self.worker.project))
        return self._secrets[1]

    @staticmethod
    def decrypted(read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What holds secrets. Raises GivenUp when one cannot be decrypted: another attempt could not either."""
        try:
            return retrying(read)
        except SecretUnreadable as error:
            raise GivenUp(Reason.SECRET_UNREADABLE, str(error)) from error

    def reach_of_log(self, attempt: Attempt) -> dict[str, int]:
        """How far its log reaches, when the runner has told the end of it."""
        name = name_of(attempt, attempt.chunk)
        ends = (self.results.get(f"{name}:{what}") for what in ("checkpoint", "collect", "review", "execute"))
        told = next(filter(None, ends), None)
        return {"log_bytes": told["bytes"], "log_lines": told["lines"]} if told else {}
