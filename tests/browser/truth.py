"""Whether a page shows what the database holds."""

import threading
from typing import Any

from playwright.sync_api import Page

from tests.browser.up import Up
from tests.browser.watching import pump
from tests.support.wait import until

ACTIVE = "('idle', 'running', 'paused')"
SHOWN = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const cards = all("#workers-active article.card").map((card) => [Number(card.id.slice(7)), card.dataset.status]);
  return {
    active: cards.filter(([, status]) => ["idle", "running", "paused"].includes(status)),
    waiting: all("#queue .queue-row").map((row) => row.dataset.title),
    nav: Number(document.getElementById("nav-workers").dataset.active),
    meter: document.querySelector("#slot-meter strong").textContent,
    finished: all("#finished li[id]").map((row) => Number(row.id.slice(9))),
  };
}"""
FINISHED_SHOWN = 4


def held(up: Up) -> dict[str, Any]:
    """What the database holds of what the workers' page shows."""
    active = [
        list(row) for row in up.rows(f"select id, status from workers_worker where status in {ACTIVE} order by slot")
    ]
    waiting = up.rows(
        "select title from queue_app_workerqueue entry join specs_spec spec on spec.id = entry.spec_id"
        " order by entry.priority desc, entry.rank"
    )
    finished = up.rows(
        f"select id from workers_worker where status not in {ACTIVE} order by completed_at desc, id desc limit ?",
        FINISHED_SHOWN,
    )
    (limit,) = up.rows('select "limit" from queue_app_yard')[0]
    return {
        "active": active,
        "waiting": [title for (title,) in waiting],
        "nav": len(active),
        "meter": f"{len(active)}/{limit}",
        "finished": [pk for (pk,) in finished],
    }


def wait_until_right(up: Up, page: Page, seconds: float = 5.0) -> None:
    """Wait until the page of the workers shows what the database holds, without a reload."""
    last: list[Any] = []

    def agree() -> bool:
        pump(page)
        last[:] = [page.evaluate(SHOWN), held(up)]
        return bool(last[0] == last[1])

    try:
        until(agree, seconds)
    except AssertionError:
        raise AssertionError(
            f"not within {seconds:g} s: the page shows {last[0]}, the database holds {last[1]}"
        ) from None


class Sampler(threading.Thread):
    """Counts the active workers in the database many times a second, from the start to `most()`."""

    def __init__(self, up: Up) -> None:
        super().__init__(daemon=True)
        self.samples: list[int] = []
        self._up = up
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._over.wait(0.02):
            ((count,),) = self._up.rows(f"select count(*) from workers_worker where status in {ACTIVE}")
            self.samples.append(count)

    def most(self) -> int:
        """The highest count that there ever was. Ends the sampling."""
        self._over.set()
        self.join(10)
        assert not self.is_alive()
        return max(self.samples)
