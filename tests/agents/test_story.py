"""The whole way in a browser: a spec for a small library, carried out by the real opencode, merged from the page."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.agents import spans
from tests.agents.pages import imports, run_all, set_up_the_profile
from tests.browser.conftest import chromium, page, up, watch
from tests.browser.up import Up
from tests.support.openai_server import Model, serving
from tests.support.opencode import Opencode
from tests.support.repository import git

__all__ = ["chromium", "page", "up", "watch"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Opened, the model ends the first chunk."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def model(gate: threading.Event) -> Iterator[Model]:
    with serving(*spans.answers(gate)) as model:
        yield model


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return spans.lay_out(tmp_path / "spans")


def test_a_library_is_built_reviewed_repaired_and_merged(
    up: Up, page: Page, opencode: Opencode, model: Model, gate: threading.Event, library: Path
) -> None:
    set_up_the_profile(page, opencode, model)
    imports(up, library)
    run_all(page, "Spans of time")
    page.get_by_role("tab", name="Conversation").click()
    page.evaluate("window.sameDocument = true")
    expect(page.get_by_text("Looking at it.")).to_be_visible(timeout=60_000)  # in the middle of the turn
    gate.set()
    expect(page.get_by_text("Completed").first).to_be_visible(timeout=120_000)
    expect(page.get_by_text("Review passed").last).to_be_visible()
    assert page.evaluate("window.sameDocument"), "the page was live, and never loaded again"
    attempts = up.rows("SELECT number, status, reason FROM workers_attempt ORDER BY id")
    assert [status for _, status, _ in attempts] == ["passed", "passed", "failed", "passed", "passed", "passed"]
    assert attempts[2][2] == "review_failed"
    assert len(up.rows("SELECT DISTINCT session_id FROM workers_worker")) == 1

    page.get_by_role("tab", name=re.compile("^Changes")).click()
    expect(page.get_by_text("test_errors.py").first).to_be_visible()
    page.get_by_role("button", name="Merge").click()
    page.get_by_role("dialog").get_by_role("button", name="Merge").click()
    expect(page.get_by_text("Merged by").first).to_be_visible()
    assert subprocess.run(["python3", "-m", "unittest", "-q"], cwd=library, check=True).returncode == 0
    assert subprocess.check_output(["python3", "main.py", "5400"], cwd=library, text=True) == "1h 30m\n"
    subjects = git(library, "log", "--format=%s", "main").splitlines()
    assert [title for title in subjects if title in spans.SPEC] == [
        "Command line",
        "Writing spans",
        "Refusing nonsense",
        "Reading spans",
        "Table of units",
    ]
    retried = next(request for request in model.requests if "did not pass" in request.told)
    assert "test_nonsense_is_refused" in retried.told, "the findings reached the agent"
    (used,) = up.rows("SELECT tokens_in, tokens_out, cost FROM workers_worker")
    assert used[0] > 0
    assert used[1] > 0
    assert float(used[2]) > 0
    assert not [request for request in model.requests if request.outcome == "left over"], json.dumps(
        [request.told[:80] for request in model.requests]
    )
