"""Merging from the card of a worker that has just ended, in a real browser."""

import pytest
from playwright.async_api import expect

from tests.live.conftest import in_database
from tests.pages.test_behaviour import Visit, chromium, valkey, visit, web  # noqa: F401
from tests.pages.test_landings import ended
from tests.support import make
from workers.models import Landing

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


async def test_a_merge_is_confirmed_and_its_end_is_told_on_the_card(visit: Visit) -> None:  # noqa: F811
    await in_database(make.node)
    worker = await in_database(ended)
    page = await visit()
    card = page.locator(f"#worker-{worker.pk}")
    await card.get_by_role("button", name="Merge").click()
    dialog = page.get_by_role("dialog", name="Merge spec/job-1?")
    await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    await page.keyboard.press("Escape")
    assert await in_database(Landing.objects.count) == 0
    await card.get_by_role("button", name="Merge").click()
    await dialog.get_by_role("button", name="Merge").click()
    await expect(card).to_contain_text("merging spec/job-1, asked by mira")
    await expect(card.get_by_role("button", name="Merge")).to_have_count(0)
    landing = await in_database(Landing.objects.get)
    await in_database(landing.failed, "The branch conflicts with its base in 1 file.", [("a.txt", "both added it")])
    await expect(card).to_contain_text("could not merge: The branch conflicts with its base in 1 file.")
    await expect(card.get_by_role("button", name="Merge")).to_be_visible()
    await card.get_by_role("link", name=worker.title).click()
    await expect(page.get_by_text("Could not merge.")).to_be_visible()
    await expect(page.get_by_role("link", name="a.txt")).to_have_attribute(
        "href", f"/workers/{worker.pk}/changes?file=a.txt"
    )
    await page.go_back()
    again = await in_database(Landing.ask, worker, "merge", "ines")
    await in_database(again.succeeded, "c" * 40)
    await expect(card).to_contain_text("merged by ines as cccccccccc")
    await expect(page.locator("#finished")).to_contain_text("merged")


async def test_a_viewer_is_offered_no_merge(visit: Visit) -> None:  # noqa: F811
    await in_database(make.node)
    worker = await in_database(ended)
    page = await visit(user="vic", staff=False)
    card = page.locator(f"#worker-{worker.pk}")
    await expect(card).to_contain_text("Completed")
    await expect(card.get_by_role("button", name="Merge")).to_be_hidden()
