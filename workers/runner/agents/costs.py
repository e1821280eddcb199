"""What sessions have cost so far, kept beside what their agents store: who takes one up must know what is not new."""

import json
import logging
import os
from pathlib import Path

log = logging.getLogger("specyard.runner")

NAME = "costs.json"


class Costs:
    """The cost of each session of work, by its id. Kept nowhere where agents have no data directory."""

    def __init__(self, data: str) -> None:
        self._path = Path(data) / NAME if data else None

    def known(self, session: str) -> float | None:
        """What the session has cost, None when nobody has said it."""
        cost = self._read().get(session)
        return float(cost) if isinstance(cost, int | float) else None

    def keep(self, session: str, cost: float) -> None:
        """Write it down. Where that does not work, who takes the session up learns it from the agent, or not at all."""
        if self._path is None:
            return
        new = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.write_text(json.dumps({**self._read(), session: cost}))
            os.replace(new, self._path)
        except OSError as error:
            log.warning("the cost of session %s is not kept: %s", session, error)

    def _read(self) -> dict[str, object]:
        try:
            found = json.loads(self._path.read_text()) if self._path else {}
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
