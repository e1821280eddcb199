"""What can go wrong with a worker: a docstring is its message, `retryable` says whether trying again can help."""


class WorkerError(Exception):
    """Something went wrong with a worker."""

    retryable = False
    current = ""  # the state that does not allow it, for programs; "" where no single one does

    def __init__(self, *message: object, current: str = "") -> None:
        super().__init__(*message)
        self.current = current or self.current

    def __str__(self) -> str:
        return super().__str__() or (self.__doc__ or "").strip()


class StaleTransition(WorkerError):
    """The worker is no longer in a state that allows this."""


class Fenced(StaleTransition):
    """Another owner has taken this worker over."""


class InvalidWords(WorkerError):
    """These words cannot be passed on."""

    field = "text"  # what is to blame

    def __init__(self, *message: object, field: str = "") -> None:
        super().__init__(*message)
        self.field = field or self.field


class LauncherUnavailable(WorkerError):
    """The launcher of this node does not answer."""

    retryable = True


class LaunchFailed(WorkerError):
    """The launcher could not start the runner."""


class RunnerLost(WorkerError):
    """The runner of this worker is gone."""

    retryable = True


class RunnerRefused(WorkerError):
    """The runner refused a request."""
