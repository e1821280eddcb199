"""The states of workers, chunks and attempts, each with when it occurs. See docs/state_machine.md."""

from django.db.models import TextChoices


class WorkerStatus(TextChoices):
    """Where a worker is; the last three are final."""

    IDLE = "idle", "Starting"  # accepted, holds a slot, not yet claimed by its node
    RUNNING = "running", "Running"  # claimed: its chunks are being executed
    PAUSED = "paused", "Paused"  # its runner has confirmed that the whole process tree is frozen
    COMPLETED = "completed", "Completed"  # every chunk passed or was skipped
    FAILED = "failed", "Failed"  # a chunk failed for good, or the work could not be carried on
    STOPPED = "stopped", "Stopped"  # a person ended it


ACTIVE = (WorkerStatus.IDLE, WorkerStatus.RUNNING, WorkerStatus.PAUSED)
OWNED = (WorkerStatus.RUNNING, WorkerStatus.PAUSED)
FINAL = (WorkerStatus.COMPLETED, WorkerStatus.FAILED, WorkerStatus.STOPPED)


class Step(TextChoices):
    """What an active worker is doing."""

    PREPARING = "preparing", "preparing"  # the workspace is being made
    EXECUTING = "executing", "executing"  # a chunk's executor runs
    REVIEWING = "reviewing", "reviewing"  # the chunk's result is under review


class Wish(TextChoices):
    """What people want of a worker; the facts are in its status."""

    RUN = "run", "Run"  # the start, and after Resume
    PAUSE = "pause", "Pause"  # somebody pressed Pause
    STOP = "stop", "Stop"  # somebody pressed Stop; never taken back


class ChunkOutcome(TextChoices):
    """What has become of a chunk of a worker's plan."""

    PENDING = "pending", "To come"  # not begun
    RUNNING = "running", "Running"  # an attempt has been opened
    PASSED = "passed", "Passed"  # an attempt was executed and passed its review
    FAILED = "failed", "Failed"  # the last allowed attempt failed
    SKIPPED = "skipped", "Skipped"  # left out by a person, or because a chunk it depends on failed


class AttemptStatus(TextChoices):
    """How a try at a chunk goes, or went."""

    RUNNING = "running", "Running"  # executing or under review
    PASSED = "passed", "Passed"  # executed, and its review passed
    FAILED = "failed", "Failed"  # charged against the chunk's allowed attempts
    INTERRUPTED = "interrupted", "Interrupted"  # ended on purpose (stop, shutdown); never charged
    LOST = "lost", "Lost"  # its runner died; charged against MAX_RESCUES only


class ArtifactKind(TextChoices):
    """What a file is that an attempt has left."""

    FILE = "file", "File"  # anything
    JUNIT = "junit", "Test report"  # JUnit's XML, which could be read


class NodeStatus(TextChoices):
    """Whether a machine takes work."""

    ONLINE = "online", "Online"  # heartbeats arrive
    DRAINING = "draining", "Draining"  # takes no new work
    OFFLINE = "offline", "Offline"  # said goodbye: what it had begun waits for its return
    SILENT = "silent", "Silent"  # not heard of for longer than it may be: its work will be given up


class Reason(TextChoices):
    """Why a worker ended otherwise than by completing; for programs, the sentence beside it is for people."""

    CHUNK_FAILED = "chunk_failed", "A chunk failed"  # on-failure "stop" and a chunk that failed for good
    CHUNKS_FAILED = "chunks_failed", "Some chunks failed"  # on-failure "continue" and at least one failed chunk
    PREPARATION_FAILED = "preparation_failed", "The workspace could not be prepared"  # the copy or the setup command
    RUNNER_LOST = "runner_lost", "The runner died too often"  # more than MAX_RESCUES lost attempts
    NODE_LOST = "node_lost", "The node was lost"  # no other node may take the work
    LAUNCH_FAILED = "launch_failed", "The runner could not be started"  # the launcher refused
    INTERNAL_ERROR = "internal_error", "Internal error"  # a defect of ours; the log of the node says more
    SECRET_UNREADABLE = "secret_unreadable", "A secret cannot be decrypted"  # its key is not here; docs/security.md
    STOPPED = "stopped", "Stopped by a person"  # Stop was pressed
    REQUEUED = "requeued", "Put back into the queue"  # Requeue was pressed; an entry of the queue continues it


MAX_RESCUES = 3  # lost attempts of one worker before it fails


class LandingKind(TextChoices):
    """What a person wants to become of a worker's branch."""

    MERGE = "merge", "Merge"  # into the base of its project
    DISCARD = "discard", "Discard"  # worktree and branch are removed, whatever they hold


AGENT = "agent"  # the executor that asks people and can be told things


class QuestionKind(TextChoices):
    """Why a worker waits for a person."""

    PERMISSION = "permission", "Permission"  # its agent wants to do something that it may not do unasked
    BLOCKED = "blocked", "Blocked"  # its agent cannot go on without words of a person
    STUCK = "stuck", "Stuck"  # an attempt has failed in a way that another one would not mend


class StuckOption(TextChoices):
    """What a person may want to become of a chunk that is stuck; Stop is the worker's own verb."""

    RETRY = "retry", "Retry chunk"  # one more attempt, also beyond those that the spec allows
    SKIP = "skip", "Skip chunk"  # the chunk is left out, and with it what depends on it


class EventKind(TextChoices):
    """What an event of the outbox tells."""

    QUEUE_UPDATED = "queue_updated"  # an entry was added, moved or removed; the queue paused or resumed
    WORKER_STARTED = "worker_started"  # accepted into a slot, or claimed by its node
    WORKER_PROGRESS = "worker_progress"  # a step, a chunk's outcome, output, usage, a wish, a message
    WORKER_PAUSED = "worker_paused"  # its whole tree is frozen
    WORKER_RESUMED = "worker_resumed"  # its tree goes on
    WORKER_ATTENTION = "worker_attention"  # it waits for a person, or no longer, or for another answer
    WORKER_COMPLETED = "worker_completed"  # it ended well
    WORKER_FAILED = "worker_failed"  # it ended with a reason
    WORKER_STOPPED = "worker_stopped"  # a person ended it, or put it back into the queue
    NODE_ONLINE = "node_online"  # it has registered, or is heard again
    NODE_DRAINING = "node_draining"  # it takes no new work
    NODE_OFFLINE = "node_offline"  # it has said goodbye, or is silent
    SETTINGS_CHANGED = "settings_changed"  # the limit of workers; a spec or a project was written or deleted
