"""What a node forgets by itself, since nobody can ask for it: old events, journals, what agents have stored."""

import logging
import os
import random
import shutil
import stat
import threading
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from workers.models import Event, Worker, unit_of_work
from workers.workspace import number_of

logger = logging.getLogger(__name__)

EVENTS_KEPT = timedelta(days=7)
EVENTS_AT_ONCE = 10_000  # others wait for the database as long as that takes
RUNS_KEPT = timedelta(days=7)
RUNS_LOOKED_AT = 500  # workers, at once


@unit_of_work
def prune_events() -> int:
    """Forget the oldest events that no page can still ask for, EVENTS_AT_ONCE at most. Gives how many."""
    old = Event.objects.filter(at__lt=timezone.now() - EVENTS_KEPT).order_by("seq").values_list("seq", flat=True)
    seqs = list(old[:EVENTS_AT_ONCE])
    count, _ = Event.objects.filter(seq__lte=seqs[-1]).delete() if seqs else (0, {})
    return count


def old_runs() -> list[Path]:
    """The journals of workers that ended long ago, and what their agents have stored. Logs and transcripts stay."""
    runs, agents = (settings.SPECYARD.data / name for name in ("runs", "agents"))
    paths = [(path, path.name.rpartition("-")[0]) for path in inside(runs)]
    paths += [(path, path.name) for path in inside(agents)]
    numbers = sorted({number_of(folder) for _, folder in paths} - {0})
    some = random.sample(numbers, min(len(numbers), RUNS_LOOKED_AT))  # those of other databases are in nobody's way
    over = Worker.objects.filter(pk__in=some, completed_at__lt=timezone.now() - RUNS_KEPT)
    old = {worker.folder for worker in over.only("pk", "nonce")}
    return [path for path, folder in paths if folder in old]


class Remover:
    """Removes directories in a thread of its own: the homes of agents may hold millions of files."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    @property
    def is_at_work(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def begin(self, paths: list[Path]) -> None:
        """Remove these, while the caller goes on. What a process that ends leaves is found again."""
        if paths:
            self._thread = threading.Thread(target=remove_all, args=[paths], name="pruning", daemon=True)
            self._thread.start()


def remove_all(paths: Iterable[Path]) -> None:
    """Remove the directories; the log says which could not be."""
    for path in paths:
        try:
            remove_tree(path)
        except OSError as error:
            logger.warning("%s could not be removed: %s", path, error)


def remove_tree(path: Path) -> None:
    """Remove a directory, also where something in it may not be written, such as what package managers keep.

    Raises OSError.
    """
    _open(path)
    for place, directories, _ in os.walk(path):
        for name in directories:
            _open(Path(place, name))
    shutil.rmtree(path)


def _open(path: Path) -> None:
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode):
        path.chmod(stat.S_IMODE(mode) | stat.S_IRWXU)


def inside(place: Path) -> list[Path]:
    """What is in a directory, in order; nothing where there is none."""
    return sorted(place.iterdir()) if place.is_dir() else []
