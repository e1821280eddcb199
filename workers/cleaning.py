"""What ended workers have left on this node, what of it nobody could get back, and its removal.

Nothing is removed that an active worker uses, or that a worker could still be continued from by an entry of the queue
(`kept`: their numbers). What a workspace holds is asked of git again right before it goes. Directories are moved aside
first, under the lock of their worker: whoever continues it meanwhile finds all or nothing.
"""

import logging
import os
import socket
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from workers import branches, landing
from workers.errors import StaleTransition
from workers.git import GitFailed, git, readable
from workers.models import Attempt, Landing, Worker, unit_of_work
from workers.models.landing import PENDING, is_discarded
from workers.models.worker import IS_FINAL
from workers.pruning import inside, remove_tree
from workers.runner.ahead import TAKEN
from workers.runner.process import living_runner
from workers.states import LandingKind
from workers.workspace import is_own, number_of

logger = logging.getLogger(__name__)

RUN, AGENT_DATA, WORKSPACE, SOCKET, LEFTOVER = "run", "agent_data", "workspace", "socket", "leftover"
HALF = ".part"  # with what the name of a copy ends that is being made (workers/runner/preparing.py)
ROWS_AT_ONCE = 500
TOLD_AT_ONCE = 20  # commits, or files, by name; further ones are counted
ONLY_HERE = "files that are nowhere else"
CHANGED = "It holds work by now that is nowhere else."
WANTED = "It is in use again."


@dataclass(frozen=True)
class Dead:
    """Something that is of no use any more, how much room it takes, and what would be lost with it."""

    kind: str
    path: Path
    worker: int  # 0 where it is nobody's
    bytes: int
    loses: tuple[str, ...] = ()
    branch: str = ""  # of a worktree whose repository is there


def survey(node: str, kept: Collection[int]) -> list[Dead]:
    """What is dead on this machine, which is the node of that name, in the order of workers."""
    alive = _alive()
    found = [*_runs(node, kept, alive), *_agent_data(node, kept, alive), *_sockets(node, kept)]
    found += [*_workspaces(node, kept, alive), *_leftovers()]
    return sorted(found, key=lambda dead: (dead.worker, dead.kind, dead.path))


def remove(dead: Dead, kept: Callable[[], Collection[int]], by: str) -> str:
    """Remove it, with whatever it holds that `dead` has told. Gives why it is still there, "" when it is gone."""
    try:
        if dead.kind == LEFTOVER:
            remove_tree(dead.path)
            return ""
        if dead.kind == SOCKET:
            dead.path.unlink(missing_ok=True)
            return ""
        if dead.branch and not dead.loses and _loses(_worker(dead.worker), dead.path, dead.branch)[0]:
            return CHANGED
        if dead.branch:
            return _discard(dead, kept, by)
        aside = _set_aside(dead, kept, by)
        if aside is None:
            return WANTED
        remove_tree(aside)
    except OSError as error:
        return f"{error.strerror}: {readable(str(error.filename or dead.path))}"
    return ""


# What there is.


def _data() -> Path:
    data: Path = settings.SPECYARD.data
    return data


def _of_run(name: str) -> str:
    """The folder of the worker whose run has this name."""
    return name.rpartition("-")[0]


def _alive() -> set[str]:
    """The folders of the workers of which a runner is alive here, whatever the database says."""
    return {_of_run(path.name) for path in inside(_data() / "runs") if living_runner(path)}


def _ended(numbers: Iterable[int], node: str, kept: Collection[int]) -> dict[int, Worker]:
    """Those of the workers that have ended on the node and that nobody is about to continue."""
    wanted = sorted({number for number in numbers if number} - set(kept))
    found: dict[int, Worker] = {}
    for begin in range(0, len(wanted), ROWS_AT_ONCE):
        rows = Worker.objects.filter(IS_FINAL, pk__in=wanted[begin : begin + ROWS_AT_ONCE], node__name=node)
        rows = rows.exclude(continued_by__slot__isnull=False).select_related("project")
        found.update((row.pk, row) for row in rows)
    return found


def _by_folder(folders: Iterable[str], node: str, kept: Collection[int]) -> dict[str, int]:
    """Whose the folders are, of which nobody needs any more what they name: folder → worker."""
    ended = _ended(map(number_of, folders), node, kept)
    return {worker.folder: worker.pk for worker in ended.values()}


def _runs(node: str, kept: Collection[int], alive: set[str]) -> Iterator[Dead]:
    found = [(path, _of_run(path.name)) for path in inside(_data() / "runs")]
    ended = _by_folder((folder for _, folder in found), node, kept)
    for path, folder in found:
        if folder in ended and folder not in alive:
            yield Dead(RUN, path, ended[folder], size(path))


def _agent_data(node: str, kept: Collection[int], alive: set[str]) -> Iterator[Dead]:
    paths = inside(_data() / "agents")
    ended = _by_folder((path.name for path in paths), node, kept)
    for path in paths:
        if path.name in ended and path.name not in alive:
            yield Dead(AGENT_DATA, path, ended[path.name], size(path))


def _sockets(node: str, kept: Collection[int]) -> Iterator[Dead]:
    runtime: Path = settings.SPECYARD.runtime_dir
    paths = [path for path in inside(runtime) if path.name.startswith("r") and path.suffix == ".sock"]
    found = [(path, _of_run(path.stem[1:])) for path in paths]
    ended = _by_folder((folder for _, folder in found), node, kept)
    for path, folder in found:
        if folder in ended and path.is_socket() and not _listens(path):
            yield Dead(SOCKET, path, ended[folder], 0)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(os.fspath(path))
        except OSError:
            return False
    return True


def _leftovers() -> Iterator[Dead]:
    """What was set aside by somebody who was ended before it was gone."""
    for path in inside(_aside()):
        yield Dead(LEFTOVER, path, 0, size(path))


def _workspaces(node: str, kept: Collection[int], alive: set[str]) -> Iterator[Dead]:
    paths = [path for path in inside(_data() / "workspaces") if path.is_dir() and not path.is_symlink()]
    users = _users_of(paths)
    last = {path: max(users.get(path, {number_of(path.name): ""})) for path in paths}
    ended = _ended(last.values(), node, kept)
    for path in paths:
        worker = ended.get(last[path])
        others = users.get(path, {})
        if worker is None or (not others and worker.folder != path.name.removesuffix(HALF)):
            continue
        runs = alive & {worker.folder, *others.values()}
        if runs or others.keys() & set(kept) or worker.continued_by.exists():
            continue
        if dead := _workspace(worker, path, is_used=bool(others)):
            yield dead


def _users_of(paths: list[Path]) -> dict[Path, dict[int, str]]:
    """The workers that have worked in each directory, one and those that continued it: worker → folder."""
    users: dict[Path, dict[int, str]] = {}
    names = [os.fspath(path) for path in paths]
    for begin in range(0, len(names), ROWS_AT_ONCE):
        rows = Worker.objects.filter(workspace__in=names[begin : begin + ROWS_AT_ONCE])
        for worker in rows.only("pk", "nonce", "workspace"):
            users.setdefault(Path(worker.workspace), {})[worker.pk] = worker.folder
    return users


def _workspace(worker: Worker, path: Path, *, is_used: bool) -> Dead | None:
    """A workspace of a worker that has ended; None while something is to become of it."""
    if not is_used:  # its worker ended before this was ready
        if worker.workspace or worker.prepared_at or path.with_name(f"{path.name}{TAKEN}").exists():
            return None
        return Dead(WORKSPACE, path, worker.pk, size(path), *_loses(worker, path, _branch_in(path)))
    if is_discarded(worker) or worker.landings.filter(PENDING).exists():
        return None
    loses, branch = _loses(worker, path, worker.branch)
    return Dead(WORKSPACE, path, worker.pk, size(path), loses, branch)


def _branch_in(path: Path) -> str:
    if not (path / ".git").exists():
        return ""
    try:
        return git(path, "symbolic-ref", "--short", "HEAD").strip()
    except GitFailed:
        return ""


def _loses(worker: Worker, path: Path, branch: str) -> tuple[tuple[str, ...], str]:
    """What would be lost with the directory; and the branch, where git can remove both."""
    if not branch:
        has_worked = Attempt.objects.filter(chunk__worker__workspace=os.fspath(path)).exists()
        return ((ONLY_HERE,) if has_worked else ()), ""
    try:
        loss = branches.loss(worker.project.directory, path, branch)
    except GitFailed as error:
        return (f"{ONLY_HERE}, for all that git can tell: {error}",), ""
    commits = _some([f"commit {told}" for told in loss.commits], "commits")
    files = _some([f"uncommitted {name}" for name in loss.files], "uncommitted files")
    return (*commits, *files, *loss.repositories), branch


def _some(told: list[str], what: str) -> list[str]:
    more = len(told) - TOLD_AT_ONCE
    return [*told[:TOLD_AT_ONCE], f"{more} more {what}"] if more > 0 else told


def size(path: Path) -> int:
    """The room that a file or a directory takes on the disk, in bytes."""
    found = _blocks(path)
    for place, directories, files in os.walk(path):
        found += sum(_blocks(Path(place, name)) for name in (*directories, *files))
    return found


def _blocks(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512  # stat(2): whatever the file system's own blocks are
    except OSError:  # gone meanwhile
        return 0


# Its removal.


def _worker(pk: int) -> Worker:
    return Worker.objects.select_related("project").get(pk=pk)


def _is_wanted(worker: Worker, kept: Collection[int]) -> bool:
    continued = worker.continued_by.filter(slot__isnull=False).exists()
    return worker.is_active or worker.pk in kept or continued


def _discard(dead: Dead, kept: Callable[[], Collection[int]], by: str) -> str:
    """Remove a worktree and its branch, as people discard them on the page."""
    worker = _worker(dead.worker)
    if _is_wanted(worker, kept()):
        return WANTED
    try:
        if not worker.branch:  # it ended before it was told of this one
            branches.discard(worker.project.directory, dead.path, dead.branch)
            return ""
        asked = Landing.ask(worker, LandingKind.DISCARD, by)
    except (StaleTransition, GitFailed) as refusal:
        return str(refusal)
    landing.carry_out(asked.pk)
    asked.refresh_from_db()
    return asked.complaint


@unit_of_work
def _set_aside(dead: Dead, kept: Callable[[], Collection[int]], by: str) -> Path | None:
    """Move a directory to where nobody looks for it. None when somebody needs it again."""
    worker = Worker.objects.select_for_update().get(pk=dead.worker)
    if _is_wanted(worker, kept()):
        return None
    place = _aside()
    place.mkdir(mode=0o700, exist_ok=True)
    aside = place / f"{dead.kind}-{dead.path.name}-{uuid.uuid4().hex[:8]}"
    if dead.kind == WORKSPACE and worker.workspace and is_own(worker.workspace):
        Landing.removed(worker, by)
    dead.path.rename(aside)
    return aside


def _aside() -> Path:
    return _data() / "removing"
