"""What counts as silence of an agent."""

from collections.abc import Iterator

import pytest

from workers.runner.agents import patience
from workers.runner.agents.patience import Patience, Silence


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TICK", 0.01)
    monkeypatch.setattr(patience, "LOOK_AFTER", 0.02)


async def looks(*found: Silence) -> int:
    """How often somebody looks before the patience for 0.1 s runs out; after the last finding, it is real silence."""
    answers: Iterator[Silence] = iter(found)
    times = 0

    async def look() -> Silence:
        nonlocal times
        times += 1
        return next(answers, Silence.REAL)

    await Patience(0.1, lambda: True, look).run_out()
    return times


async def test_real_silence_runs_out() -> None:
    assert 4 <= await looks() <= 5


async def test_waiting_for_somebody_else_does_not_count() -> None:
    assert await looks(*[Silence.WAITING] * 10) >= 12


async def test_what_is_done_without_a_word_begins_it_anew() -> None:
    real = [Silence.REAL] * 3
    assert await looks(*real, Silence.BROKEN, *real, Silence.BROKEN) >= 12
