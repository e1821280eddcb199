"""What a request finds in its runner, and shares with the requests before and after it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.runner.journal import Journal
from workers.runner.masking import Mask
from workers.runner.messages import Tell
from workers.runner.modes import Mode
from workers.runner.process import Children


@dataclass(frozen=True)
class Surroundings:
    """What a request needs of its runner."""

    journal: Journal
    mode: Mode
    children: Children
    directory: Path
    mark: str
    may_run: asyncio.Event  # cleared while the run is paused
    kept: dict[str, Any]  # by executors, from one request to the next
    mailbox: list[Tell]  # what people have said and nobody has been told yet
    spared: set[int]  # processes that outlive a request, with what is below them
    mask: Mask  # hides every secret that the run was ever given
