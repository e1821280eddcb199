"""Why the queue refuses something. A class's docstring is its message."""

from workers.errors import WorkerError


class AlreadyWaiting(WorkerError):
    """This spec is in the queue already."""

    current = "waiting"


class AlreadyRunning(WorkerError):
    """A worker runs this spec already."""

    current = "running"


class RemovedAgain(WorkerError):
    """Somebody has taken it out of the queue before it could start."""

    current = "removed"


class NothingToDo(WorkerError):
    """This spec has no chunks."""


class BadPlace(WorkerError):
    """An entry cannot be moved next to itself or next to one that is gone."""


class BadValue(WorkerError):
    """A number is out of range."""
