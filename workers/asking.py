"""What an owner asks of its runner: each request with its name in the journal and all that the runner must know."""

from workers import workspace
from workers.launch import Entry
from workers.link import RunnerLink
from workers.models import Attempt, Worker, WorkerChunk, log_path, retrying
from workers.states import AttemptStatus

PREPARE_SECONDS = 1800.0


def name_of(attempt: Attempt, chunk: WorkerChunk) -> str:
    """What requests for the attempt are called in the journal: the third try at chunk 2 is "2.3".

    No primary key: a database that was restored gives those out again, and then they mean another chunk.
    """
    return f"{chunk.ordinal}.{attempt.number}"


class Asking(RunnerLink):
    """Turns the plan of a worker into requests. Each raises what `request` raises."""

    def __init__(self, worker: Worker, *, fresh: bool) -> None:
        super().__init__(worker, fresh=fresh)
        self.workspace = workspace.for_worker(worker.project, worker.pk, worker.spec.key if worker.spec else "spec")
        self.head = worker.base_commit  # where the branch of its worktree stands after the chunks that have passed

    def ask_to_prepare(self) -> Entry:
        """Have the runner copy the project and run its setup command."""
        if self.results.get("prepare", {}).get("outcome") == "interrupted":
            del self.results["prepare"]  # by an earlier shutdown
        log = log_path(self.worker.pk, 0)
        return self.request(
            "prepare",
            "prepare",
            **self.workspace.preparation(),
            env=self.variables(),
            log=str(log),
            timeout=PREPARE_SECONDS,
        )

    def ask_to_tear_down(self, command: str) -> Entry:
        """Have the runner run the project's teardown command."""
        return self.request(
            "prepare",
            "teardown",
            command=command,
            note="teardown",
            cwd=self.worker.workspace,
            env=self.variables(),
            log=str(log_path(self.worker.pk, 0)),
            timeout=PREPARE_SECONDS,
        )

    def ask_to_restore(self, attempt: Attempt, chunk: WorkerChunk) -> Entry | None:
        """Have the worktree put back to the last passed commit where work may lie that did not pass.

        Gives the result only where that failed.
        """
        if not self.worker.branch or (attempt.number == 1 and self.worker.continues_id is None):
            return None
        result = self.request(
            "restore",
            f"{name_of(attempt, chunk)}:restore",
            branch=self.worker.branch,
            commit=self.head,
            **self.surroundings(attempt, chunk),
        )
        return None if result["outcome"] == "passed" else result

    def ask_for_checkpoint(self, attempt: Attempt, chunk: WorkerChunk) -> Entry:
        """Have what the chunk has changed committed."""
        worker = self.worker
        about = f"Spec: {worker.title}\nChunk: {chunk.ordinal} of {worker.total}, {chunk.key}\nWorker: {worker.pk}"
        return self.request(
            "checkpoint",
            f"{name_of(attempt, chunk)}:checkpoint",
            message=f"{chunk.title}\n\n{about}",
            **self.surroundings(attempt, chunk),
        )

    def ask_to_execute(self, attempt: Attempt, chunk: WorkerChunk) -> Entry:
        """Have the runner execute the chunk, with the findings of the last failed attempt."""
        return self.request(
            "execute",
            f"{name_of(attempt, chunk)}:execute",
            attempt=attempt.pk,
            executor=chunk.executor,
            params=chunk.params,
            findings=self.findings_for(attempt, chunk),
            **self.surroundings(attempt, chunk),
        )

    def findings_for(self, attempt: Attempt, chunk: WorkerChunk) -> str:
        """What the last failed attempt at the chunk has left to be read."""
        if attempt.number == 1:
            return ""
        earlier = chunk.attempts.filter(status=AttemptStatus.FAILED).order_by("-number")
        return retrying(lambda: earlier.values_list("findings", flat=True).first()) or ""

    def ask_to_review(self, attempt: Attempt, chunk: WorkerChunk) -> Entry:
        """Have the runner review the chunk."""
        return self.request(
            "review",
            f"{name_of(attempt, chunk)}:review",
            attempt=attempt.pk,
            command=chunk.review["command"],
            **self.surroundings(attempt, chunk),
        )

    def surroundings(self, attempt: Attempt, chunk: WorkerChunk) -> Entry:
        """Where and how long a chunk runs, and what it sees."""
        variables = {
            "SPECYARD_CHUNK": chunk.key,
            "SPECYARD_ATTEMPT": str(attempt.number),
        }
        return {
            "cwd": self.worker.workspace,
            "env": self.variables() | variables,
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

    def reach_of_log(self, attempt: Attempt) -> dict[str, int]:
        """How far its log reaches, when the runner has told the end of it."""
        name = name_of(attempt, attempt.chunk)
        told = self.results.get(f"{name}:review") or self.results.get(f"{name}:execute")
        return {"log_bytes": told["bytes"], "log_lines": told["lines"]} if told else {}
