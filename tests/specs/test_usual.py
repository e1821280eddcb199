"""What the settings say where a spec does not."""

import pytest
from pytest_django import Settings

from dashboard.config import Config
from specs import executors
from specs.importers import native
from specs.importers.document import SpecDocument
from specs.importers.writer import write

TEXT = """
title: Times
chunks:
  - {title: Own, timeout: 10m, params: {run: "true"}}
  - {title: Command, params: {run: "true"}}
  - {title: Agent, executor: agent}
"""


@pytest.fixture(autouse=True)
def both_executors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "_source", lambda: dict.fromkeys(("command", "agent"), lambda params: []))


def limits(document: SpecDocument) -> list[int]:
    return [chunk.timeout for chunk in document.chunks]


def test_a_chunk_without_a_timeout_gets_that_of_its_executor(settings: Settings) -> None:
    assert limits(native.parse(TEXT)) == [600, 1800, 1800]
    settings.SPECYARD = Config(execution={"time_limit": "20m"}, executors={"agent": {"time_limit": "2h"}})
    assert limits(native.parse(TEXT)) == [600, 1200, 7200]
    defaults = TEXT.replace("chunks:", "defaults: {timeout: 5m}\nchunks:")
    assert limits(native.parse(defaults)) == [600, 300, 300]


def test_a_spec_that_is_written_and_read_keeps_its_limits(settings: Settings) -> None:
    before = native.parse(TEXT)
    assert write(before).count("timeout") == 1
    settings.SPECYARD = Config(execution={"time_limit": "20m"}, executors={"agent": {"time_limit": "10m"}})
    assert native.parse(write(before)) == before
    assert write(before).count("timeout") == 3
