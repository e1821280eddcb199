"""From the queue to the end of a worker with nothing but commands, beside a real `specyard up`."""

from collections.abc import Callable

import pytest

from tests.cli.support import Specyard
from tests.support.wait import until
from tests.up.support import Up, python

TOKEN = """
from dashboard import signin, tokens
print(tokens.create(signin.owner(), "cli", "admin")[1])
"""
SPEC = """
from specs.models import Chunk, Project, Spec
project = Project.objects.create(name="shop", directory="/tmp", isolation="in_place")
spec = Spec.objects.create(project=project, key="long", title="Long")
Chunk.objects.create(spec=spec, ordinal=1, key="c1", title="One", executor="command", params={"run": "sleep 300"})
"""


@pytest.fixture(params=["local", "remote"])
def commands(request: pytest.FixtureRequest, environment: dict[str, str], start: Callable[..., Up]) -> Specyard:
    """The commands on the database of a running yard, or on its server."""
    up = start().is_ready()
    python(environment, SPEC)
    if request.param == "local":
        return Specyard(environment)
    token = python(environment, TOKEN)
    return Specyard({**environment, "SPECYARD_SERVER": up.address, "SPECYARD_TOKEN": token})


def test_a_worker_begins_pauses_goes_on_and_ends(commands: Specyard) -> None:
    added = commands.good("queue", "add", "shop/long", "--json").document["results"][0]
    assert added["outcome"] in ("started", "waits")

    def active() -> list[int]:
        return [
            one["id"] for one in commands.good("workers", "list", "--json", "--status", "running").document["items"]
        ]

    (worker,) = until(active, what="the worker runs")
    paused = commands.good("workers", "pause", worker, "--wait")
    assert (paused.out, paused.err) == (f"Worker {worker} is paused.\n", "")
    assert commands.good("workers", "show", worker, "--json").document["status"] == "paused"
    assert commands.good("workers", "resume", "--all", "--wait").out == f"Worker {worker} goes on.\n"
    stopped = commands.good("workers", "stop", worker, "--wait", "--json").document
    assert stopped["results"] == [
        {"id": worker, "outcome": "done", "detail": "", "current": "", "reached": True},
    ]
    assert commands("workers", "pause", worker).code == 4
    assert commands.good("nodes", "list", "--json").document["items"][0]["status"] == "online"
