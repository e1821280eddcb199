"""Every region is one element with the region's id, and the templates keep to the rules of the pages."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from dashboard.pages import fragments, spec_fragments
from dashboard.pages.timelines import Axis
from queue_app import dispatch
from tests.support import make
from workers.models import Attempt
from workers.states import AttemptStatus

FOLDER = Path(settings.TEMPLATES[0]["DIRS"][0])
TEMPLATES = sorted(FOLDER.rglob("*.html"))
SPRITE = (FOLDER / "_icons.svg").read_text()
FORBIDDEN = {
    "inline style": re.compile(r"\sstyle\s*=", re.IGNORECASE),
    "inline handler": re.compile(r"\son[a-z]+\s*=", re.IGNORECASE),
    "inline script": re.compile(r"<script(?![^>]*\ssrc=)", re.IGNORECASE),
    "hx-on": re.compile(r"hx-on"),
    "trigger filter": re.compile(r"hx-trigger=\"[^\"]*\["),
    "evaluated value": re.compile(r"\"js:|\"javascript:"),
    "foreign address": re.compile(r"(?:src|href)=\"(?:https?:)?//"),
    "switched off escaping": re.compile(r"\|safe\b|autoescape off"),
}


@pytest.fixture
def busy(running):
    dispatch.enqueue(make.spec(), by="mira")
    dispatch.pause_queue("mira")
    dispatch.enqueue(make.spec(), by="mira")
    return running


def test_each_region_is_one_element_with_its_id(busy):
    everywhere = [fragments.nav(), fragments.status_line()]
    lists = [spec_fragments.spec_list(""), spec_fragments.project_list(), spec_fragments.newest_finished()]
    spec = [spec_fragments.spec_head(busy.spec), spec_fragments.spec_work(busy.spec)]
    worker = [*fragments.worker_regions(busy), *fragments.cards([busy.pk])]
    found = [*everywhere, *fragments.workers_regions(), *worker, *lists, *spec]
    for fragment in found:
        html = fragment.render()
        assert re.match(rf'<[a-z]+[^>]*\sid="{fragment.target}"', html), fragment.target
        assert html == html.strip()
        assert html.endswith(">")
        assert html.count(f'id="{fragment.target}"') == 1
    assert len({fragment.target for fragment in found}) == len(found)


def test_ids_are_unique_on_the_page(viewer, busy):
    for path in ("/workers", f"/workers/{busy.pk}", "/specs", f"/specs/{busy.spec_id}", "/projects", "/history"):
        ids = re.findall(r'\sid="([^"]+)"', viewer.get(path).content.decode())
        assert len(ids) == len(set(ids)), path


def test_a_region_looks_the_same_to_everybody(viewer, operator, busy):
    for fragment in (fragments.nav(), fragments.queue_panel(), fragments.controls()):
        html = fragment.render()
        assert html in viewer.get("/workers").content.decode()
        assert html in operator.get("/workers").content.decode()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_a_template_needs_no_exception_from_a_strict_content_policy(path):
    text = path.read_text()
    assert {name for name, pattern in FORBIDDEN.items() if pattern.search(text)} == set()


def test_every_icon_that_is_used_exists():
    used = {name for path in TEMPLATES for name in re.findall(r'{% icon "([a-z0-9-]+)"', path.read_text())}
    assert {name for name in used if f'id="i-{name}"' not in SPRITE} == set()


def test_bars_of_the_timeline_stay_on_the_axis(running):
    chunk = running.chunks.first()
    Attempt.objects.create(
        chunk=chunk,
        number=1,
        incarnation=1,
        status=AttemptStatus.FAILED,
        reason="command_failed",
        exit_code=2,
        started_at=running.started_at,
        finished_at=timezone.now(),
    )
    html = fragments.worker_timeline(running).render()
    assert "Command failed, exit 2" in html
    for start, width in re.findall(r'x="([\d.]+)%" y="1" width="([\d.]+)%"', html):
        assert 0 <= float(start) <= 100
        assert float(start) + float(width) <= 100.01


@pytest.mark.parametrize("seconds", [0.001, 1, 9, 61, 3599, 86_400, 10**8])
def test_an_axis_has_few_round_marks(seconds):
    start = timezone.now()
    ticks = Axis(start, start + timedelta(seconds=seconds)).ticks
    assert 1 <= len(ticks) <= 5 or seconds == 10**8
