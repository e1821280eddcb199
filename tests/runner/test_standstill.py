"""When the time of an attempt runs, while its agent has asked a person something."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from workers.runner.agents import standstill
from workers.runner.agents.standstill import SUBAGENT, Standstill


class Clock:
    """Says whether it is held."""

    def __init__(self) -> None:
        self.holds = 0
        self.changed = asyncio.Event()

    @contextmanager
    def off(self) -> Iterator[None]:
        self.holds += 1
        self.changed.set()
        try:
            yield
        finally:
            self.holds -= 1


@pytest.fixture
async def clock() -> Clock:
    return Clock()


@pytest.fixture
async def still(clock: Clock) -> Standstill:
    return Standstill(clock.off)


async def test_it_stands_while_a_question_waits(clock: Clock, still: Standstill) -> None:
    still.hear_of("1", "execute", "in_progress")  # some agents ask when they have begun
    assert clock.holds == 0
    with still.asking("1"):
        assert clock.holds == 1
        still.hear_of("1", None, "pending")
        assert clock.holds == 1
    assert clock.holds == 0


async def test_two_questions_hold_it_once_and_until_both_are_answered(clock: Clock, still: Standstill) -> None:
    with ExitStack() as second:
        with still.asking("1"):
            second.enter_context(still.asking("2"))
            assert clock.holds == 1
        assert clock.holds == 1
    assert clock.holds == 0


async def test_it_runs_while_another_call_is_in_progress(clock: Clock, still: Standstill) -> None:
    still.hear_of("2", "execute", "in_progress")
    with still.asking("1"):
        assert clock.holds == 0
        with still.asking("2"):
            assert clock.holds == 1
        assert clock.holds == 0


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_it_stands_again_when_that_has_ended(
    clock: Clock, still: Standstill, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr(standstill, "STILL_AFTER", 0.05)
    with still.asking("1"):
        clock.changed.clear()
        still.hear_of("2", "execute", "in_progress")
        still.hear_of("2", None, status)
        assert clock.holds == 0
        await asyncio.wait_for(clock.changed.wait(), 10)
        assert clock.holds == 1


async def test_a_call_that_never_ends_holds_nothing_up(
    clock: Clock, still: Standstill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standstill, "BUSY_FOR", 0.05)
    still.hear_of("2", "execute", "in_progress")
    with still.asking("1"):
        assert clock.holds == 0
        await asyncio.wait_for(clock.changed.wait(), 10)
        assert clock.holds == 1


async def test_a_call_is_at_work_as_long_as_news_of_it_come(
    clock: Clock, still: Standstill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standstill, "STILL_AFTER", 0.0)
    monkeypatch.setattr(standstill, "BUSY_FOR", 0.0)
    still.hear_of("2", "execute", "in_progress")
    with still.asking("1"):
        assert clock.holds == 1  # it has been silent for too long
        monkeypatch.setattr(standstill, "BUSY_FOR", 60.0)
        still.hear_of("2", None, None)
        assert clock.holds == 0
        still.hear_of("2", None, "completed")
        assert clock.holds == 1
        still.hear_of("2", None, None)  # what comes after its end is no work
        assert clock.holds == 1


async def test_it_runs_on_after_every_word(clock: Clock, still: Standstill) -> None:
    still.hear()
    with still.asking("1"):
        assert clock.holds == 1  # what came before the question is no reason
        still.hear()
        assert clock.holds == 0
    with still.asking("2"):
        assert clock.holds == 1


async def test_what_another_agent_asks_is_no_work_of_who_called_it(clock: Clock, still: Standstill) -> None:
    still.hear_of("1", SUBAGENT, "in_progress")
    with still.asking("2"):
        assert clock.holds == 1
