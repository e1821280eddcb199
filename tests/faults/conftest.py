"""Faults are tried on a yard of real processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.receiver import receiver  # noqa: F401
from tests.support.yard import Yard


@pytest.fixture
def yard(transactional_db: None, tmp_path: Path) -> Iterator[Yard]:
    """A yard that is up and takes work."""
    made = Yard(tmp_path)
    try:
        yield made.start()
    finally:
        made.close()
