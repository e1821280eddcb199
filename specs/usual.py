"""What holds where a spec or a project does not say: the settings of this installation."""

from django.conf import settings


def time_limit(executor: str) -> int:
    """Seconds of wall time for one attempt at a chunk."""
    seconds: int = settings.SPECYARD.time_limit_of(executor)
    return seconds


def setup_time_limit() -> float:
    """Seconds of wall time for making a workspace, and for the commands that set it up and tear it down."""
    return float(settings.SPECYARD.execution.setup_time_limit)
