"""How the output of a request is told: all of it but secrets in the log, in the journal how far that reaches."""

import asyncio
import dataclasses

from workers.runner.executors.base import Outcome, Result
from workers.runner.journal import Journal
from workers.runner.masking import Mask
from workers.runner.output import AttemptLog

# The journal says at most four times a second how far the output is.
OUTPUT_INTERVAL = 0.25


class Telling:
    """The output of one request. Nothing is written before `open` and after `close`."""

    def __init__(self, path: str, attempt: int | None, journal: Journal, mask: Mask) -> None:
        self._path = path
        self._attempt = attempt
        self._journal = journal
        self._mask = mask
        self._stream = mask.stream()
        self._loop = asyncio.get_running_loop()
        self._log: AttemptLog | None = None
        self._told = (0, 0)
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Open the log. Raises OSError."""
        self._log = AttemptLog(self._path, self._output_came)

    def write(self, data: bytes) -> None:
        assert self._log is not None
        if shown := self._stream.feed(data):
            self._log.write(shown)

    def note(self, text: str) -> None:
        """A line of ours between the output."""
        assert self._log is not None
        self._write_rest()
        self._log.note(self._mask.text(text))

    def _write_rest(self) -> None:
        """Write what was held back as the beginning of a secret; the rest of one does not come."""
        if self._log is not None and (rest := self._stream.flush()):
            self._log.write(rest)

    def tell(self) -> None:
        """Write into the journal how far the log reaches, unless it says so already."""
        self._timer = None
        self._next = self._loop.time() + OUTPUT_INTERVAL
        if self._log is None:
            return
        now = (self._log.size, self._log.lines)
        if now == self._told or self._journal.is_behind:
            return
        self._told = now
        self._journal.append("output", attempt=self._attempt, bytes=now[0], lines=now[1], last=self._log.last_line())

    def close(self, result: Result) -> Result:
        """Tell the last of it and close the log; gives the result with its counters and findings."""
        if self._timer is not None:
            self._timer.cancel()
        if self._log is None:
            return result
        self._write_rest()
        if self._log.error:
            result = dataclasses.replace(result, message=f"{result.message} {self._log.error}".strip())
        self.tell()
        findings = result.findings or self._log.findings(result.message)
        findings = "" if result.outcome is Outcome.PASSED else findings
        result = dataclasses.replace(result, findings=findings, bytes=self._log.size, lines=self._log.lines)
        self._log.close()
        return result

    def _output_came(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_at(max(self._next, self._loop.time()), self.tell)
