"""What must hold while a tree changes under the eyes of the one who looks."""

import signal
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from workers.runner.modes.direct import Direct
from workers.runner.process import Children, children_of, send
from workers.runner.tree import Tree


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    child = subprocess.Popen(["sleep", "600"])
    yield child
    child.kill()
    child.wait()


def test_a_process_missed_by_the_first_look_is_frozen(child: "subprocess.Popen[bytes]") -> None:
    looks = iter([[], [child.pid]])
    tree = Tree(lambda: next(looks, [child.pid]))
    steps = 0
    while not tree.freeze_step():
        steps += 1
        assert steps < 1000
    assert psutil.Process(child.pid).status() == psutil.STATUS_STOPPED


async def test_what_no_walk_finds_is_still_known_to_be_there(child: "subprocess.Popen[bytes]") -> None:
    mode = Direct(Tree(lambda: []), Children())
    assert not mode.is_empty()


@pytest.mark.parametrize("pid", [0, 1, -1])
def test_neither_groups_nor_init_are_signalled(pid: int) -> None:
    assert not send(pid, signal.SIGCONT)


def test_children_are_found_whichever_thread_started_them(child: "subprocess.Popen[bytes]") -> None:
    assert child.pid in children_of(psutil.Process().pid)
