"""A number that has a past in the data directory is not given to another worker."""

from pathlib import Path

import pytest
from django.conf import settings

from tests.support import make
from workers import maintenance
from workers.models import Worker
from workers.numbering import highest_number_kept, number_from

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("names", "number"),
    [
        ([], 0),
        (["runs/7-2", "logs/3", "workspaces/5"], 7),
        (["runs/3-1", "logs/12", "workspaces/9.part"], 12),
        (["runs/3-1", "agents/14"], 14),
        (["runs/x-9", "logs/readme", "workspaces/-4", "demo/99"], 0),
    ],
)
def test_everything_that_carries_a_number_counts(tmp_path: Path, names: list[str], number: int) -> None:
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    assert highest_number_kept(tmp_path) == number


@pytest.mark.parametrize("place", ["runs/{}-1", "logs/{}", "workspaces/{}", "agents/{}"])
def test_a_database_that_knows_nothing_of_the_past_does_not_repeat_its_numbers(place: str) -> None:
    first = make.worker().pk
    past = settings.SPECYARD.data / place.format(first + 20)
    past.mkdir(parents=True)
    try:
        maintenance.register("test-node")
        assert make.worker().pk == first + 21
    finally:
        past.rmdir()


def test_numbers_never_go_back() -> None:
    first = make.worker().pk
    number_from(first + 10)
    number_from(first + 5)
    assert make.worker().pk == first + 10
    number_from(2)
    assert make.worker().pk == first + 11


def test_a_table_that_never_had_a_row_begins_above_the_past() -> None:
    last = make.worker().pk
    Worker.objects.all().delete()
    number_from(last + 100)
    assert make.worker().pk == last + 100
