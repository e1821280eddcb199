"""Whatever happens and however often pages are cut off: in the end each page shows what the database says."""

import asyncio
import contextlib
import random
import re

import pytest

from dashboard.live import sockets
from dashboard.live.board import whole
from dashboard.live.drawing import draw
from dashboard.live.topics import parse
from queue_app import dispatch, ordering
from queue_app.models import WorkerQueue
from specs.errors import SpecsError
from specs.models import Spec
from tests.live.conftest import TARGET, Page, in_database
from tests.support import make
from workers.errors import WorkerError
from workers.models import Worker
from workers.states import Reason

pytestmark = pytest.mark.django_db(transaction=True)
TOPICS = ("workers", "specs", "specs:q=spec+1", "projects", "history")
ROUNDS = 8
PATIENCE = 4.0  # seconds; nothing that is wrong heals by itself within them
TIMES = re.compile(r"<time .*?</time>|<span class=\"span\".*?</span>|data-leaves=\"\d+\"", re.DOTALL)
PART = re.compile(
    r'<article class="card[^>]*id="(?P<card>worker-\d+)".*?</article>'
    r'|<li class="pick-row" id="(?P<row>spec-\d+)".*?</li>',
    re.DOTALL,
)
LISTS = {"workers-active": "card", "spec-list": "row"}


def act(chance: random.Random) -> None:
    """Something that people or workers do."""
    entries = list(WorkerQueue.objects.values_list("pk", flat=True))
    active = list(Worker.objects.filter(slot__isnull=False))
    choice = chance.randrange(12)
    if choice == 0 or (choice < 3 and not entries):
        with contextlib.suppress(WorkerError):  # it runs or waits already
            dispatch.enqueue(chance.choice(Spec.objects.all()), by="mira")
    elif choice == 1:
        ordering.move_to_top(chance.choice(entries), "mira")
    elif choice == 2:
        dispatch.remove(chance.choice(entries), "mira")
    elif choice == 3:
        chance.choice([dispatch.pause_queue, dispatch.resume_queue])("mira")
    elif choice == 10:
        make.spec()
    elif choice == 11:
        with contextlib.suppress(SpecsError):  # it runs or waits
            chance.choice(Spec.objects.all()).remove()
    elif active:
        change(chance.choice(active), chance)


def change(worker: Worker, chance: random.Random) -> None:
    owned = Worker.claim(worker.pk, worker.epoch) or Worker.objects.get(pk=worker.pk)
    steps = [
        lambda: owned.request_pause("mira"),
        lambda: owned.request_resume("mira"),
        lambda: owned.paused(),
        lambda: owned.resumed(),
        lambda: chance.choice([owned.completed, lambda: owned.fail(Reason.CHUNK_FAILED, "no")])(),
    ]
    with contextlib.suppress(WorkerError):  # it is not possible any more
        chance.choice(steps)()


def is_part(html: str, kind: str) -> bool:
    found = PART.fullmatch(html)
    return found is not None and found[kind] is not None


def as_shown(regions: dict[str, str]) -> dict[str, str]:
    """The regions as the document has them: cards and rows within their list, times left out."""
    parts = {target: html for target, html in regions.items() if PART.fullmatch(html)}
    shown = {target: html for target, html in regions.items() if target not in parts}
    for target in LISTS.keys() & shown.keys():
        shown[target] = PART.sub(lambda found: parts.get(found["card"] or found["row"], found[0]), shown[target])
    return {target: TIMES.sub("", html) for target, html in shown.items()}


class Document(Page):
    """A page that keeps its cards and rows as a document does: a new list replaces those that it contains."""

    async def take(self, timeout: float = 5) -> None:
        before = len(self.messages)
        await super().take(timeout)
        for target, kind in LISTS.items():
            if len(self.messages) > before and target in self.messages[-1]:
                self.regions = {name: html for name, html in self.regions.items() if not is_part(html, kind)}

    async def read(self, seconds: float) -> None:
        """Take what comes until nothing has come for so long."""
        with contextlib.suppress(TimeoutError):
            while True:
                await self.take(seconds)


async def differs(page: Document) -> str:
    """The first region that the page shows otherwise than it would be drawn now, empty when there is none."""
    drawn = await in_database(draw, whole(parse(page.names)))
    truth = as_shown(dict(TARGET.findall("".join(one.html for one in drawn.values()))))
    shown = as_shown(page.regions)
    for target, html in truth.items():
        if shown.get(target) != html:
            return f"{target} shows\n{shown.get(target)}\nand should show\n{html}"
    return ""


async def becomes_right(page: Document) -> None:
    """Let the page take what comes until it shows the truth."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while difference := await differs(page):
        assert asyncio.get_running_loop().time() < deadline, difference
        await page.read(0.1)


async def begin_again(page: Document, cookie: str) -> Document:
    await page.leave()
    return await Document(cookie, page.names).open()


async def test_every_page_is_right_in_the_end(relay, cookie, monkeypatch, request):
    chance = random.Random(request.node.name + str(random.random()))
    monkeypatch.setattr(sockets, "MOST_MESSAGES", 4)
    monkeypatch.setattr(sockets, "ECHO_EVERY", 2)
    await in_database(lambda: [make.node(), *(make.spec() for _ in range(12))])
    steady, slow, restless = [[await Document(cookie, topics).open() for topics in TOPICS] for _ in range(3)]
    for _ in range(ROUNDS):
        for page in slow:
            page.echoes = False
        for _ in range(chance.randrange(1, 8)):
            await in_database(act, chance)
            restless = [await begin_again(page, cookie) if chance.random() < 0.3 else page for page in restless]
            await asyncio.gather(*(page.read(chance.choice((0.001, 0.12))) for page in (*steady, *slow)))
        for page in slow:
            page.echoes = True
            await page.socket.send_to(text_data=str(page.beacons[-1]["echo"]))
        await asyncio.gather(*(becomes_right(page) for page in (*steady, *slow, *restless)))
    for page in (*steady, *slow, *restless):
        await page.leave()
