"""Durations, ages, sizes, priorities in words."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from dashboard.pages import words

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0, "0s"),
        (0.0004, "1ms"),
        (0.214, "214ms"),
        (1, "1s"),
        (59.9, "59s"),
        (60, "1m"),
        (768, "12m 48s"),
        (3600, "1h"),
        (4320, "1h 12m"),
        (90_000, "1d 01h"),
        (-5, "0s"),
        (timedelta(minutes=2), "2m"),
    ],
)
def test_durations(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    "seconds, parts", [(2, "0m 02s"), (768, "12m 48s"), (3600, "1h 00m"), (86_400, "1d 00h"), (-1, "0m 00s")]
)
def test_a_running_clock_keeps_its_width(seconds, parts):
    assert " ".join(number + unit for number, unit in words.clock_parts(seconds)) == parts


@pytest.mark.parametrize(
    "back, text",
    [
        (timedelta(seconds=-3), "now"),
        (timedelta(0), "now"),
        (timedelta(seconds=12), "12s ago"),
        (timedelta(minutes=4, seconds=59), "4m ago"),
        (timedelta(hours=3), "3h ago"),
        (timedelta(days=6, hours=23), "6d ago"),
        (timedelta(days=7), "2026-02-22"),
    ],
)
def test_ages(back, text):
    assert words.ago(NOW - back, NOW) == text


@pytest.mark.parametrize(
    "count, text",
    [(0, "0 B"), (999, "999 B"), (4200, "4.2 kB"), (212_000, "212 kB"), (1_300_000, "1.3 MB"), (10**12, "1000 GB")],
)
def test_sizes(count, text):
    assert words.size(count) == text


@pytest.mark.parametrize(
    "priority, word",
    [(-100, "Low"), (-1, "Low"), (0, "Normal"), (9, "Normal"), (10, "High"), (20, "Urgent"), (100, "Urgent")],
)
def test_priorities(priority, word):
    assert words.priority_word(priority) == word


def test_counts():
    assert [words.count(n, "spec") for n in (0, 1, 2)] == ["0 specs", "1 spec", "2 specs"]


@pytest.mark.parametrize(
    "number, text",
    [(0, "0"), (912, "912"), (1000, "1.0k"), (4_230, "4.2k"), (9_960, "10k"), (184_499, "184k"), (999_600, "1.0M")],
)
def test_amounts(number, text):
    assert words.amount(number) == text


@pytest.mark.parametrize(
    "cost, text", [("0", "$0.00"), ("0.0031", "$0.0031"), ("1.92", "$1.92"), ("1234.5", "$1,234.50")]
)
def test_dollars(cost, text):
    assert words.dollars(Decimal(cost)) == text
