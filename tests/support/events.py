"""Every event that is made while tests run is held against its shape: what docs/events.md says is what is written.

A plugin of pytest. An event that does not fit fails the test during which it was made, or read: what other processes
write is seen when a test reads it.
"""

from collections.abc import Iterator
from typing import Any

import pytest

_complaints: list[str] = []


def hold(sender: Any, instance: Any, **_: Any) -> None:
    """Note what is wrong with an event."""
    from workers.events import check

    try:
        check(str(instance.kind), instance.worker_id, instance.data)
    except (KeyError, ValueError) as error:
        _complaints.append(f"{instance.kind} {instance.data}: {error}")


@pytest.fixture(scope="session", autouse=True)
def events_are_watched() -> Iterator[None]:
    """Watch every event that is made."""
    from django.db.models.signals import post_init

    post_init.connect(hold, sender="workers.Event", dispatch_uid="tests.events")
    yield
    post_init.disconnect(sender="workers.Event", dispatch_uid="tests.events")


@pytest.fixture(autouse=True)
def events_fit_their_shapes(events_are_watched: None) -> Iterator[list[str]]:
    """Fail the test in which one did not fit. Gives the complaints, which a test of this may take away."""
    _complaints.clear()
    yield _complaints
    assert not _complaints, "events do not fit workers/events.py: " + "; ".join(_complaints)
