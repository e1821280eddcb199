"""Texts, times and tables by themselves."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len

from dashboard.cli import adding, words
from dashboard.cli.refusal import BadInput, Refused
from dashboard.cli.tables import Column, Listing, console

ALPHABET = "abc äß漢字🙂 \x1b\x07\x9b\u202e\u200b\ud800\n\t[]/\\"


def test_whatever_a_text_holds_it_is_one_line_that_nobody_obeys() -> None:
    chance = random.Random(4)
    for _ in range(500):
        text = "".join(chance.choices(ALPHABET, k=30))
        shown = words.visible(text)
        assert shown.isprintable()
        assert "\n" not in shown


@pytest.mark.parametrize("text", ["", "plain", "Größe 漢字 🙂", "[bold]no markup[/]"])
def test_what_is_harmless_stays(text: str) -> None:
    assert words.visible(text) == text


def test_a_refusal_is_harmless_too(capsys: pytest.CaptureFixture[str]) -> None:
    Refused("no \x1b]0;evil\x07 \x9bm\nsecond line").show()
    assert capsys.readouterr().err == "\nspecyard: no ]0;evil m\nsecond line\n"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, ""),
        (0.2, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (11100, "3 h 5 min"),
        (90000, "1 d 1 h"),
        (172800, "2 d"),
    ],
)
def test_durations(seconds: float | None, told: str) -> None:
    assert words.duration(seconds) == told


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (25_000_000, "25 MB"), (10**16, "10000.0 TB")]
)
def test_sizes(count: int, told: str) -> None:
    assert words.size(count) == told


@pytest.mark.parametrize(
    ("text", "minutes"), [("+2h", 120), ("+1h30m", 90), ("+1d", 1440), ("+90s", 1.5), ("+1d2h3m4s", 1563.066)]
)
def test_times_from_now(text: str, minutes: float) -> None:
    at = adding.moment(text)
    assert at
    assert at.endswith("Z")
    late = datetime.fromisoformat(at) - datetime.now(UTC) - timedelta(minutes=minutes)
    assert abs(late) < timedelta(seconds=3)


@pytest.mark.parametrize("text", ["2h", "+", "+2", "+2h ", "+h", "-2h", "+999999999h", "99999-01-01", "\x1b[2J", "now"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadInput, match="is no time"):
        adding.moment(text)


COLUMNS = (
    Column("ID", lambda item: item[0], right=True),
    Column("STATUS", lambda item: item[1], 95),
    Column("TITLE", lambda item: item[2], 90, cut=True),
    Column("NODE", lambda item: item[3], 20, cut=True),
    Column("EMPTY", lambda item: ""),
)
ITEMS = [
    (12, "running", "A title of some length 漢字漢字漢字漢字漢字", "a-node-with-a-name"),
    (4711, "failed !", "x", "n"),
]


@pytest.mark.parametrize("width", range(8, 120))
def test_a_table_is_never_wider_than_it_may_be(width: int) -> None:
    out = console()
    out.width = width
    with out.capture() as captured:
        out.print(Listing.of(COLUMNS, ITEMS).drawn(width))
    lines = captured.get().splitlines()
    assert max(map(cell_len, lines)) <= width
    assert len(lines) == 3  # nothing is wrapped
    assert "4711" in lines[2]
    assert "EMPTY" not in lines[0]


def test_what_is_needed_most_stays_longest() -> None:
    listing = Listing.of(COLUMNS, ITEMS)
    shown = [[column.header.plain for column in listing.drawn(width).columns] for width in (100, 40, 20, 8)]  # type: ignore[union-attr]
    assert shown == [["ID", "STATUS", "TITLE", "NODE"], ["ID", "STATUS", "TITLE"], ["ID", "STATUS"], ["ID"]]
