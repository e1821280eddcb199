"""What is tried again when the database refuses it, and what is not."""

import pytest
from django.db import DatabaseError, OperationalError, connection

from workers.models.event import retrying

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("wrong", ["SELECT 1 FROM nowhere", "SELECT nothing FROM workers_worker", "SELECT FROM FROM"])
def test_what_no_second_try_can_cure_is_tried_once(wrong: str) -> None:
    tries = []

    def ask() -> None:
        tries.append(wrong)
        with connection.cursor() as cursor:
            cursor.execute(wrong)

    with pytest.raises(DatabaseError):
        retrying(ask)
    assert tries == [wrong]


def test_what_may_pass_is_tried_again() -> None:
    tries = []

    def ask() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("database is locked")
        return "done"

    assert retrying(ask) == "done"
    assert len(tries) == 3
