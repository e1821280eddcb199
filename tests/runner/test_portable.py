"""What is used where there is no subreaper, tried on this system: groups, sessions and the marker."""

import os
import shlex
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from tests.runner.support import Token, status_of, wait_until
from workers.runner.tree import MARKER, PortableTree, marked, marker

MARK = marker("77-1", "/nowhere/77-1")


@pytest.fixture
def root(token: Token) -> Iterator["subprocess.Popen[bytes]"]:
    """Its children are in its session, in one of their own, orphaned in one, and orphaned without the marker."""
    unmarked = shlex.quote(f"({token.sleeper('env -i')} &) ; sleep 600")
    command = f"{token.sleeper()} & {token.sleeper('setsid')} & {token.sleeper('setsid -f')}; setsid sh -c {unmarked}"
    process = subprocess.Popen(
        ["/bin/sh", "-c", command], env={**os.environ, MARKER: MARK}, start_new_session=True, stdin=subprocess.DEVNULL
    )
    token.wait_for(4)
    yield process
    process.kill()
    process.wait()


def test_the_marker_finds_what_has_left_the_tree(root: "subprocess.Popen[bytes]", token: Token) -> None:
    found = set(PortableTree(root.pid, MARK).members())
    assert {process.pid for process in token.processes()} <= found
    assert not found & {os.getpid(), os.getppid(), root.pid}

    def marked_ones() -> set[int]:
        return {process.pid for process in token.processes()} & {pid for pid, _ in marked("77-1")}

    wait_until(lambda: len(marked_ones()) == 3, "all but the one whose environment was emptied")
    assert list(marked("77-1", "/elsewhere")) == []


def test_it_is_frozen_thawed_and_ended(root: "subprocess.Popen[bytes]", token: Token) -> None:
    tree = PortableTree(root.pid, MARK)
    wait_until(tree.freeze_step, "the freeze")
    assert {process.status() for process in token.processes()} == {psutil.STATUS_STOPPED}
    tree.thaw()
    wait_until(lambda: psutil.STATUS_STOPPED not in {status_of(p) for p in token.processes()}, "the thaw")
    wait_until(lambda: not tree.kill_step(), "the end")
    assert token.processes() == []
