"""`specyard up` with the real opencode: asked for permission on the page, and killed in the middle of a turn."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.agents.pages import imports, run_all, set_up_the_profile
from tests.browser.conftest import chromium, page, up, watch
from tests.browser.up import Up
from tests.support.openai_server import Model, answer, call, hold, say, serving, words
from tests.support.opencode import Opencode
from tests.support.repository import git, repository
from tests.support.wait import until

__all__ = ["chromium", "page", "up", "watch"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SPEC = """
title: Two files
defaults: {executor: agent}
chunks:
  - {title: First, instructions: Write b.txt.}
  - {title: Second, instructions: Write c.txt.}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = repository(tmp_path / "project")
    (made / ".specyard").mkdir()
    (made / ".specyard" / "files.yaml").write_text(SPEC)
    return made


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """In the middle of the first chunk."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def model(gate: threading.Event) -> Iterator[Model]:
    with serving(
        answer(call("bash", command="echo b > b.txt", description="Write it"), to="chunk 1 of 2"),
        answer(say("Half. "), hold(gate, 120), to="chunk 1 of 2"),
        answer(say("First is done."), to="chunk 1 of 2"),
        answer(call("write", filePath="c.txt", content="c\n"), to="chunk 2 of 2"),
        answer(say("Second is done."), to="chunk 2 of 2"),
    ) as model:
        yield model


def agents(up: Up, opencode: Opencode) -> list[psutil.Process]:
    working = map(psutil.Process, up.processes_in(up.data / "workspaces"))
    return [process for process in working if process.exe() == opencode.binary]


def test_killed_and_restarted_in_mid_turn_it_goes_on_in_its_session(
    up: Up, page: Page, opencode: Opencode, model: Model, source: Path
) -> None:
    set_up_the_profile(page, opencode, model)
    imports(up, source)
    run_all(page, "Two files")
    until(lambda: len(model.requests) == 2, 60, "the model is in the middle of its second answer")
    page.goto("about:blank")
    (agent,) = agents(up, opencode)

    up.wait_for_another("node", up.kill("node"))
    until(lambda: up.rows("SELECT epoch FROM workers_worker") == [(2,)], 30, "the new node has adopted the worker")
    assert agent.is_running(), "an agent does not notice that its node was killed"
    ((session,),) = up.rows("SELECT session_id FROM workers_worker")

    up.close()  # Ctrl-C
    assert not agent.is_running()
    assert len(model.requests) == 2, "nothing went on behind our back"
    again = Up(up.data)
    try:
        until(lambda: up.rows("SELECT status FROM workers_worker") == [("completed",)], 90, "it goes on to the end")
    finally:
        again.close()
    attempts = up.rows("SELECT status FROM workers_attempt ORDER BY id")
    assert attempts == [("interrupted",), ("passed",), ("passed",)]
    assert up.rows("SELECT session_id FROM workers_worker") == [(session,)]
    told = [words(message) for message in model.requests[2].messages if message["role"] == "user"]
    assert len([text for text in told if "chunk 1 of 2" in text]) == 2, "the session knows what was said before"
    ((branch,),) = up.rows("SELECT branch FROM workers_worker")
    assert git(source, "show", f"{branch}:b.txt") == "b"
    assert git(source, "show", f"{branch}:c.txt") == "c"


def test_what_an_agent_may_do_is_asked_and_answered_on_the_page(
    up: Up, page: Page, opencode: Opencode, model: Model, gate: threading.Event, source: Path
) -> None:
    gate.set()
    set_up_the_profile(page, opencode, model, permission={"bash": "ask"})
    imports(up, source)
    run_all(page, "Two files")
    asked = page.locator(".attention").filter(has_text="echo b > b.txt")
    expect(asked).to_be_visible(timeout=60_000)
    expect(page).to_have_title(re.compile(r"^\(!1\)"))
    page.locator("#nav-workers").click()
    card = page.locator("#worker-1")
    expect(card.get_by_role("button", name="Allow once")).to_be_visible()
    card.get_by_role("button", name="Allow once").click()
    expect(card.get_by_role("button", name="Allow once")).to_be_hidden()
    until(lambda: up.rows("SELECT status FROM workers_worker") == [("completed",)], 60, "it goes on to the end")
    ((option, by),) = up.rows("SELECT option, answered_by FROM workers_question")
    assert (option, bool(by)) == ("once", True)
    ((branch,),) = up.rows("SELECT branch FROM workers_worker")
    assert git(source, "show", f"{branch}:b.txt") == "b"
