"""The engine drives one worker: it turns a frozen plan into requests to the runner, and the journal into rows.

The engine holds nothing that is not in the database or in the journal. Every request has an id and is carried
out once by a runner, so that an engine which takes over simply goes the same way again.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from specs.directories import outside
from workers.asking import name_of
from workers.attending import Attending
from workers.control import Ear
from workers.errors import (
    Fenced,
    LauncherUnavailable,
    RunnerLost,
    StaleTransition,
)
from workers.launch import Entry
from workers.link import GivenUp, StopRequested
from workers.models import Attempt, Worker, WorkerChunk, retrying
from workers.owned import Owned
from workers.states import AGENT, MAX_RESCUES, AttemptStatus, ChunkOutcome, Reason, StuckOption, Wish
from workers.workspace import set_aside

logger = logging.getLogger(__name__)


class Draining(Exception):
    """This process shuts down; the work goes on later."""


class Engine(Attending):
    """Drives one worker. One thread."""

    def __init__(self, worker: Worker, owned: Owned, *, fresh: bool) -> None:
        """`owned` says when this process has to let go."""
        super().__init__(worker, fresh=fresh)
        self.owned = owned
        self.ear = Ear(worker.pk)

    # The story.

    def run(self) -> None:
        """Prepare, work through the chunks, end. Raises Fenced, Draining, LauncherUnavailable, DatabaseError."""
        try:
            self.find_runner()
            if self.worker.desired == Wish.STOP:
                raise StopRequested
            self.prepare()
            for chunk in self.worker.plan or retrying(lambda: list(self.worker.chunks.order_by("ordinal"))):
                self.work_through(chunk)
                if chunk.outcome == ChunkOutcome.FAILED and self.worker.on_failure == "stop":
                    break
            self.tear_down()
            self.end_runner()
            self.conclude()
        except StopRequested:
            self.stop()
        except GivenUp as end:
            self.end_runner()
            self.interrupt_attempt(end.message)
            self.worker.fail(end.reason, end.message)
        except Draining:
            self.end_runner("drain")
            self.interrupt_attempt("The node was shut down.")
            raise

    def prepare(self) -> None:
        """Make the workspace, unless this worker has, or has inherited, one."""
        if problem := outside(self.worker.project.directory):
            raise GivenUp(Reason.PREPARATION_FAILED, f"The project's directory cannot be used: {problem}.")
        self.inherit_session()
        if self.worker.prepared_at is not None or not self.workspace.needs_preparation:
            return
        result = self.insist(self.ask_to_prepare)
        if result["outcome"] != "passed":
            raise GivenUp(Reason.PREPARATION_FAILED, result["message"])
        made = result.get("facts") or {}
        directory = made.get("directory") or str(self.workspace.directory)
        self.worker.prepared(directory, made.get("branch", ""), made.get("base", ""))

    def insist(self, ask: Callable[[], Entry]) -> Entry:
        """Ask again after each loss of the runner, up to MAX_RESCUES times."""
        for _ in range(MAX_RESCUES + 1):
            try:
                return ask()
            except RunnerLost:
                self.forget_runner()
        raise GivenUp(Reason.RUNNER_LOST, f"The runner died {MAX_RESCUES + 1} times while preparing the workspace.")

    def tear_down(self) -> None:
        """Run the project's teardown command, whose failure changes nothing that the chunks have reached."""
        command = self.worker.project.teardown_command
        if not command:
            return
        try:
            result = self.ask_to_tear_down(command)
        except RunnerLost:
            logger.warning("Worker %s: the runner died during the teardown command", self.worker.pk)
            self.forget_runner()
            return
        except GivenUp as end:
            logger.warning("Worker %s: the teardown command was not run: %s", self.worker.pk, end.message)
            return
        if result["outcome"] != "passed":
            logger.warning("Worker %s: the teardown command failed: %s", self.worker.pk, result["message"])

    # One chunk.

    def work_through(self, chunk: WorkerChunk) -> None:
        """Try the chunk until it is settled."""
        if not chunk.is_settled and self.depends_on_failure(chunk):
            chunk.skip(self.worker)
        while not chunk.is_settled:
            if self.decision(chunk) == StuckOption.SKIP:
                chunk.skip(self.worker)
                break
            self.attempt = self.open_attempt(chunk)
            with bound_contextvars(attempt=self.attempt.pk):
                try:
                    self.try_once(self.attempt, chunk)
                except RunnerLost:
                    self.lose_attempt()

    def depends_on_failure(self, chunk: WorkerChunk) -> bool:
        """Whether a chunk that this one needs has failed or was skipped because of a failure."""
        bad = (ChunkOutcome.FAILED, ChunkOutcome.SKIPPED)
        if not chunk.depends_on:
            return False
        return retrying(lambda: self.worker.chunks.filter(key__in=chunk.depends_on, outcome__in=bad).exists())

    def open_attempt(self, chunk: WorkerChunk) -> Attempt:
        """The attempt that an earlier owner left running, when it can still be finished; else a new one."""
        running = self.running_attempt() if chunk.outcome == ChunkOutcome.RUNNING else None
        if running is not None:
            running.chunk, self.attempt = chunk, running
            self.make_up()
            if self.can_go_on(running, chunk):
                return running
            self.lose_attempt()
        self.begin_runner()
        facts: dict[str, Any] = {}
        if self.worker.prepared_at is None:  # nothing was to be prepared
            facts = {"workspace": str(self.workspace.directory), "prepared_at": timezone.now()}
        attempt = Attempt.open(self.worker, chunk, **facts)
        for path in (attempt.log_path, attempt.transcript_path):
            set_aside(path)
        return attempt

    def can_go_on(self, attempt: Attempt, chunk: WorkerChunk) -> bool:
        """Whether its runner still lives, had not begun it, or had finished all of it before it died."""
        was_begun = self.connection is None and f"{name_of(attempt, chunk)}:execute" in self.begun
        if attempt.incarnation == self.worker.incarnation and not was_begun:
            return True
        executed = self.results.get(f"{name_of(attempt, chunk)}:execute")
        if executed is None:
            return False
        was_reviewed = not chunk.review or f"{name_of(attempt, chunk)}:review" in self.results
        return executed["outcome"] != "passed" or was_reviewed

    def try_once(self, attempt: Attempt, chunk: WorkerChunk) -> None:
        """Execute, review, keep, close. Raises RunnerLost."""
        result = self.ask_to_restore(attempt, chunk) or self.ask_to_execute(attempt, chunk)
        if result["outcome"] == "passed" and chunk.review:
            if attempt.reviewed_at is None:
                attempt.begin_review(self.worker)
            result = self.ask_to_review(attempt, chunk)
        if chunk.artifacts:
            attempt.kept(self.worker, **self.ask_to_collect(attempt, chunk))
        if result["outcome"] == "passed" and self.worker.branch:
            result = self.ask_for_checkpoint(attempt, chunk)
        self.settle(attempt, chunk, result)

    def settle(self, attempt: Attempt, chunk: WorkerChunk, result: Entry) -> None:
        """Map the runner's result to the attempt's status and the chunk's outcome."""
        facts: dict[str, Any] = {name: result.get(name) or "" for name in ("reason", "message", "findings")}
        facts["exit_code"] = result.get("exit_code")
        facts |= self.reach_of_log(attempt)
        if result["outcome"] == "passed":
            commit = (result.get("facts") or {}).get("commit", "")
            self.close_attempt(AttemptStatus.PASSED, ChunkOutcome.PASSED, commit=commit, **facts)
        elif result["outcome"] == "interrupted":
            self.close_attempt(AttemptStatus.INTERRUPTED, ChunkOutcome.PENDING, **facts)
        elif chunk.executor == AGENT and self.close_failed(attempt, **facts):
            self.attempt = None
        else:
            charged = retrying(lambda: chunk.attempts.filter(status=AttemptStatus.FAILED).count()) + 1
            last = charged >= self.worker.max_attempts + self.granted(chunk)
            self.close_attempt(AttemptStatus.FAILED, ChunkOutcome.FAILED if last else ChunkOutcome.PENDING, **facts)

    def close_attempt(self, status: AttemptStatus, outcome: ChunkOutcome, **facts: Any) -> None:
        """Close the attempt under way, if there is one."""
        if self.attempt is not None:
            attempt, self.attempt = self.attempt, None
            attempt.close(self.worker, status, outcome, **facts)

    def interrupt_attempt(self, message: str, reason: str = "interrupted") -> None:
        """Close the attempt that runs, if there is one, without charging it."""
        self.attempt = self.attempt or self.running_attempt()
        self.make_up()
        if self.attempt is not None:
            facts = {"reason": reason, "message": message, **self.reach_of_log(self.attempt)}
            self.close_attempt(AttemptStatus.INTERRUPTED, ChunkOutcome.PENDING, **facts)

    def lose_attempt(self) -> None:
        """The runner died: its tree is made sure to be dead, the attempt is lost, and another one may follow."""
        self.forget_runner()
        self.make_up()
        self.close_attempt(AttemptStatus.LOST, ChunkOutcome.PENDING, reason="runner_lost", message="The runner died.")
        if self.worker.rescues > MAX_RESCUES:
            raise GivenUp(Reason.RUNNER_LOST, f"The runner died {self.worker.rescues} times.")

    # What comes in between.

    def read_wish(self) -> Wish:
        self.ear.heard()
        return super().read_wish()

    def heed(self) -> None:
        """Let go when this process has to, and obey what people want."""
        if self.owned.superseded.is_set():
            raise Fenced
        if self.owned.draining.is_set():
            raise Draining
        if self.ear.due():
            self.obey(self.read_wish())
            self.look()

    def output(self, entry: Entry) -> None:
        """Record how far the log of the attempt under way reaches."""
        attempt = self.attempt
        if attempt is not None and entry["attempt"] == attempt.pk and entry["bytes"] != attempt.log_bytes:
            attempt.output(self.worker, entry["bytes"], entry["lines"], entry["last"])

    # The end.

    def stop(self) -> None:
        """Carry out a stop: end everything, then say so."""
        self.end_runner("stop")
        self.interrupt_attempt("Stopped.")
        wished = retrying(lambda: Worker.objects.values_list("reason", flat=True).get(pk=self.worker.pk))
        self.worker.stopped(self.worker.desired_by, Reason(wished or Reason.STOPPED))

    def running_attempt(self) -> Attempt | None:
        query = Attempt.objects.select_related("chunk").filter(chunk__worker=self.worker, status=AttemptStatus.RUNNING)
        return retrying(query.first)

    def conclude(self) -> None:
        """Say how the worker ended."""
        if not self.worker.failed:
            self.worker.completed()
            return
        failed = retrying(lambda: self.worker.chunks.filter(outcome=ChunkOutcome.FAILED).order_by("ordinal")[0])
        last = retrying(lambda: failed.attempts.order_by("-number").first())
        message = f"{failed.title}: {last.message if last else 'failed'}"
        reason = Reason.CHUNK_FAILED if self.worker.on_failure == "stop" else Reason.CHUNKS_FAILED
        self.worker.fail(reason, message)

    def give_up(self, message: str) -> None:
        """After a defect of ours: end everything and let the worker fail, if that can still be said."""
        try:
            self.destroy_runner()
            self.attempt = None  # whatever it is: what counts is in the database
            self.interrupt_attempt(message, reason="internal_error")
            self.worker.fail(Reason.INTERNAL_ERROR, message)
        except (Fenced, StaleTransition, LauncherUnavailable, DatabaseError):
            logger.exception("Worker %s could not be ended; it will be adopted again", self.worker.pk)
