"""The states of workers, chunks and attempts, each with when it occurs. See docs/state_machine.md."""

from django.db.models import TextChoices


class WorkerStatus(TextChoices):
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
    PREPARING = "preparing", "preparing"  # the workspace is being made
    EXECUTING = "executing", "executing"  # a chunk's executor runs
    REVIEWING = "reviewing", "reviewing"  # the chunk's result is under review


class Wish(TextChoices):
    """What people want of a worker; the facts are in its status."""

    RUN = "run", "Run"  # the start, and after Resume
    PAUSE = "pause", "Pause"  # somebody pressed Pause
    STOP = "stop", "Stop"  # somebody pressed Stop; never taken back


class ChunkOutcome(TextChoices):
    PENDING = "pending", "To come"  # not begun
    RUNNING = "running", "Running"  # an attempt has been opened
    PASSED = "passed", "Passed"  # an attempt was executed and passed its review
    FAILED = "failed", "Failed"  # the last allowed attempt failed
    SKIPPED = "skipped", "Skipped"  # left out by a person, or because a chunk it depends on failed


class AttemptStatus(TextChoices):
    RUNNING = "running", "Running"  # executing or under review
    PASSED = "passed", "Passed"  # executed, and its review passed
    FAILED = "failed", "Failed"  # charged against the chunk's allowed attempts
    INTERRUPTED = "interrupted", "Interrupted"  # ended on purpose (stop, shutdown); never charged
    LOST = "lost", "Lost"  # its runner died; charged against MAX_RESCUES only


class NodeStatus(TextChoices):
    ONLINE = "online", "Online"  # heartbeats arrive
    DRAINING = "draining", "Draining"  # takes no new work
    OFFLINE = "offline", "Offline"  # unregistered, or silent for longer than it may be


class Reason(TextChoices):
    """Why a worker ended otherwise than by completing; for programs, the sentence beside it is for people."""

    CHUNK_FAILED = "chunk_failed", "A chunk failed"  # on-failure "stop" and a chunk that failed for good
    CHUNKS_FAILED = "chunks_failed", "Some chunks failed"  # on-failure "continue" and at least one failed chunk
    PREPARATION_FAILED = "preparation_failed", "The workspace could not be prepared"
    RUNNER_LOST = "runner_lost", "The runner died too often"  # more than MAX_RESCUES lost attempts
    NODE_LOST = "node_lost", "The node was lost"  # no other node may take the work
    LAUNCH_FAILED = "launch_failed", "The runner could not be started"
    INTERNAL_ERROR = "internal_error", "Internal error"  # a defect of ours; the log of the node says more
    STOPPED = "stopped", "Stopped by a person"
    REQUEUED = "requeued", "Put back into the queue"


MAX_RESCUES = 3  # lost attempts of one worker before it fails


class EventKind(TextChoices):
    QUEUE_UPDATED = "queue_updated"  # an entry was added, moved or removed; the queue paused or resumed
    WORKER_STARTED = "worker_started"  # accepted into a slot, or claimed by its node
    WORKER_PROGRESS = "worker_progress"  # a step, a chunk's outcome, output, a wish
    WORKER_PAUSED = "worker_paused"
    WORKER_RESUMED = "worker_resumed"
    WORKER_ATTENTION = "worker_attention"
    WORKER_COMPLETED = "worker_completed"
    WORKER_FAILED = "worker_failed"
    WORKER_STOPPED = "worker_stopped"
    NODE_ONLINE = "node_online"
    NODE_DRAINING = "node_draining"
    NODE_OFFLINE = "node_offline"
    SETTINGS_CHANGED = "settings_changed"  # the limit of workers
