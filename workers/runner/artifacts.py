"""The files that a chunk has declared, copied out of its workspace before anything can change them.

What stands in a workspace was put there by somebody else's program: nothing is followed out of it, nothing but ordinary
files is read, nothing is unpacked, and every name, size and number is bounded.
"""

import asyncio
import errno
import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workers.runner import junit
from workers.runner.executors.base import Outcome, Result
from workers.runner.finding import Finder
from workers.runner.masking import Mask
from workers.runner.messages import Collect
from workers.runner.temporary import remove_tree

BLOCK = 1024 * 1024
MOST_SAID = 50  # files that were left out, by name
ASIDE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO would make its reader wait
PAUSE_SECONDS = 0.05  # between two looks whether the run goes on
FILE, JUNIT = "file", "junit"


class LeftOut(Exception):
    """Why one file is not kept, as the end of a sentence about it."""


class Stopped(Exception):
    """The request is over."""


@dataclass
class Kept:
    """What was collected, and what was not."""

    artifacts: list[dict[str, Any]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    more: int = 0  # left out without being named
    size: int = 0

    def leave_out(self, path: str, why: str) -> None:
        """Say that something is not kept; of very many only how many."""
        if len(self.left_out) < MOST_SAID:
            self.left_out.append({"path": path, "why": why})
        else:
            self.more += 1

    def sentence(self) -> str:
        """What the log says of it."""
        kept = f"{len(self.artifacts)} artifact{'s' * (len(self.artifacts) != 1)} kept"
        missed = [f"{one['path']}: {one['why']}" for one in self.left_out[:3]]
        rest = len(self.left_out) + self.more - len(missed)
        return "; ".join([kept, *missed, *([f"{rest} more left out"] if rest else [])])


async def collect(message: Collect, mask: Mask, may_run: asyncio.Event, note: Callable[[str], None]) -> Result:
    """Copy the files; the facts of the result name them. A disk that is full, say, makes it fail."""
    stop = threading.Event()
    collector = Collector(message, mask, stop, may_run.is_set)
    work = asyncio.get_running_loop().run_in_executor(None, collector.run)
    try:
        kept = await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({work})
        with suppress(Stopped, OSError):
            work.result()
        raise
    except OSError as error:
        sentence = f"The artifacts could not be kept: {error.strerror}."
        note(sentence)
        return Result(Outcome.FAILED, "artifacts_failed", sentence)
    note(kept.sentence())
    return Result(Outcome.PASSED, facts={**asdict(kept)})


class Collector:
    """One collection, in a thread of its own."""

    def __init__(self, message: Collect, mask: Mask, stop: threading.Event, may_run: Callable[[], bool]) -> None:
        self.message = message
        self.root = os.path.realpath(message.cwd)
        self.target = Path(message.target)
        self.mask = mask
        self._stop = stop
        self._may_run = may_run
        self.kept = Kept()

    def run(self) -> Kept:
        """Collect anew what an earlier try may have begun, all or nothing. Raises OSError, Stopped."""
        remove_tree(self.target)
        self.target.mkdir(mode=0o700, parents=True)
        try:
            self._take_all()
        except BaseException:
            remove_tree(self.target)  # of files that nobody will know of nothing may stay
            raise
        return self.kept

    def _take_all(self) -> None:
        finder = Finder(self.root, self.breathe)
        seen: set[str] = set()
        for pattern in self.message.patterns:
            found = False
            for path in finder.matching(pattern):
                found = True
                if path not in seen:
                    seen.add(path)
                    self._take(path)
            if not found:
                self.kept.leave_out(self.mask.text(shown(pattern)), "nothing matches")

    def breathe(self) -> None:
        """Wait while the run is paused. Raises Stopped."""
        while not self._stop.is_set() and not self._may_run():
            time.sleep(PAUSE_SECONDS)
        if self._stop.is_set():
            raise Stopped

    # One file

    def _take(self, path: str) -> None:
        name = self.mask.text(shown(path))
        try:
            if len(self.kept.artifacts) >= self.message.most:
                raise LeftOut(f"there are more than {self.message.most}")
            with self._opened(path) as file:
                self._copy(file, name)
        except LeftOut as error:
            self.kept.leave_out(name, str(error))

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        """The file, whatever becomes of the directories on the way. Raises LeftOut."""
        try:
            fd = self._open(path)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise LeftOut(_why(error)) from error
            fd = self._open_linked(path)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise LeftOut("it is no ordinary file")
            yield fd
        finally:
            os.close(fd)

    def _open_linked(self, path: str) -> int:
        """Where a link leads, if that is in the workspace."""
        real = os.path.realpath(os.path.join(self.root, path))
        if not Path(real).is_relative_to(self.root):
            raise LeftOut("it is a link that leads out of the workspace")
        try:
            return self._open(os.path.relpath(real, self.root))
        except OSError as error:
            raise LeftOut(_why(error)) from error

    def _open(self, path: str) -> int:
        """Open it step by step, following nothing."""
        *directories, name = path.split("/")
        place = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for directory in directories:
                inner = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | ASIDE, dir_fd=place)
                os.close(place)
                place = inner
            return os.open(name, os.O_RDONLY | ASIDE, dir_fd=place)
        finally:
            os.close(place)

    def _copy(self, file: int, name: str) -> None:
        """Copy what is there, up to the limits. Raises LeftOut, or OSError when we cannot write."""
        each, left = self.message.each, self.message.total - self.kept.size
        if os.fstat(file).st_size > each:
            raise LeftOut(f"it is larger than {_size(each)}")
        target = self.target / name
        with _writing(target) as copy:
            digest, size = hashlib.sha256(), 0
            for block in self._blocks(file):
                size += len(block)
                if size > each:
                    raise LeftOut(f"it is larger than {_size(each)}")
                if size > left:
                    raise LeftOut(f"all of them together are larger than {_size(self.message.total)}")
                digest.update(block)
                copy(block)
        self.kept.size += size
        entry = {"path": name, "size": size, "sha256": digest.hexdigest(), "kind": FILE}
        self.kept.artifacts.append(entry)
        if name.lower().endswith(".xml"):
            self._read_report(target, entry)

    def _blocks(self, file: int) -> Iterator[bytes]:
        while True:
            self.breathe()
            try:
                block = os.read(file, BLOCK)
            except OSError as error:
                raise LeftOut(_why(error)) from error
            if not block:
                return
            yield block

    def _read_report(self, target: Path, entry: dict[str, Any]) -> None:
        """What it says, where it is a report of tests; other XML is a file like any other."""
        try:
            with target.open("rb") as file:
                report = junit.read(self._blocks(file.fileno()), self.mask, self._room())
        except junit.NoReport as error:
            if error.looked_like_one:
                self.kept.leave_out(entry["path"], f"kept, but its tests cannot be read: {error}")
            return
        entry["kind"] = JUNIT
        self.kept.reports.append({"path": entry["path"], **asdict(report)})

    def _room(self) -> int:
        """How many failing cases may still be told."""
        return junit.MOST_TOLD - sum(len(report["cases"]) for report in self.kept.reports)


@contextmanager
def _writing(target: Path) -> Iterator[Callable[[bytes], None]]:
    """A new file for its owner alone; whatever goes wrong, half of one does not stay. Raises LeftOut, OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(target, flags, 0o600)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR):
            raise LeftOut("its name cannot be kept") from error
        raise
    try:
        with open(fd, "wb") as file:
            yield lambda block: _all_of(file.write(block), block)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _all_of(written: int, block: bytes) -> None:
    if written != len(block):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def shown(path: str) -> str:
    """The path as text that hides nothing: what is no character, or cannot be seen, as an escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in path)


def _why(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "it is gone"
    if error.errno == errno.ENXIO:
        return "it is no ordinary file"
    return f"it cannot be read: {os.strerror(error.errno or 0)}"


def _size(size: int) -> str:
    return f"{size // 10**6} MB" if size >= 10**6 else f"{size} bytes"
