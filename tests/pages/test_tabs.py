"""The tabs of a worker's page."""

import re

import pytest
from django.test import Client

from workers.models import Worker

TAB = re.compile(r'<a class="tab" role="tab" id="tab-(\w+)" href="([^"]+)" aria-selected="(\w+)"')


def tabs(client: Client, path: str) -> dict[str, tuple[str, bool]]:
    """Address and whether it is open, by name."""
    text = client.get(path).content.decode()
    return {name: (url, selected == "true") for name, url, selected in TAB.findall(text)}


@pytest.mark.parametrize("name", ["log", "changes"])
def test_every_tab_is_a_page_that_links_to_the_others(viewer: Client, running: Worker, name: str) -> None:
    found = tabs(viewer, f"/workers/{running.pk}")
    assert [tab for tab, (_, selected) in found.items() if selected] == ["log"]
    opened = tabs(viewer, found[name][0])
    assert {tab: url for tab, (url, _) in opened.items()} == {tab: url for tab, (url, _) in found.items()}
    assert [tab for tab, (_, selected) in opened.items() if selected] == [name]


def test_the_panel_is_named_after_its_tab(viewer: Client, running: Worker) -> None:
    text = viewer.get(f"/workers/{running.pk}").content.decode()
    assert 'role="tabpanel" aria-labelledby="tab-log"' in text
    assert text.count('aria-controls="tab-panel"') == text.count('id="tab-panel"') == 1
