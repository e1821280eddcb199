"""The lines of a launcher's and a runner's own log, for those who look for a defect."""

import logging
import time
import traceback
from types import TracebackType

from pydantic import ValidationError

from workers.runner.masking import Mask
from workers.runner.messages import describe

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Lines(logging.Formatter):
    """Lines with the time in UTC, as everything else of Specyard tells it."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__(LINE)


class MaskedLines(Lines):
    """Lines without secrets, tracebacks included: an error may quote what it has stumbled over."""

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        return self._mask.text(super().format(record))

    def formatException(self, ei: Raised) -> str:
        if isinstance(ei[1], ValidationError):
            return f"{''.join(traceback.format_tb(ei[2]))}{said_by(ei[1])}"
        return super().formatException(ei)


def said_by(error: BaseException) -> str:
    """Its kind and its words. pydantic's quote the two ends of what is wrong: half a secret could not be hidden."""
    words = "; ".join(describe(error)) if isinstance(error, ValidationError) else str(error)
    return f"{type(error).__name__}: {words}"
