"""Single keys, in a real browser."""

import pytest
from playwright.async_api import Page, expect

from tests.live.conftest import in_database
from tests.pages.test_behaviour import Visit, chromium, valkey, visit, web  # noqa: F401
from tests.support import make
from workers.models import Worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def two_at_work() -> list[Worker]:
    make.node()
    accepted = [make.worker("true", "true", slot=slot, title=f"Spec {slot}") for slot in (1, 2)]
    return [Worker.claim(worker.pk, worker.epoch) or worker for worker in accepted]


def card(page: Page, worker: Worker):
    return page.locator(f"#worker-{worker.pk}")


async def test_keys_go_from_card_to_card_and_act_on_the_one_that_has_the_focus(visit: Visit) -> None:  # noqa: F811
    first, second = await in_database(two_at_work)
    page = await visit()
    await page.keyboard.press("p")  # no card has the focus
    await page.keyboard.press("j")
    await expect(card(page, first)).to_be_focused()
    await page.keyboard.press("j")
    await page.keyboard.press("j")  # there is no other
    await expect(card(page, second)).to_be_focused()
    await page.keyboard.press("p")
    await expect(card(page, second)).to_contain_text("Pausing")
    await expect(card(page, second)).to_be_focused()
    assert await in_database(lambda: Worker.objects.get(pk=first.pk).desired) == "run"
    await page.keyboard.press("s")
    await expect(page.get_by_role("dialog", name=f"Stop worker {second.pk}?")).to_be_visible()
    await page.keyboard.press("k")  # a dialog is open
    await page.keyboard.press("Escape")
    await expect(card(page, second)).to_be_focused()
    await page.keyboard.press(".")
    await expect(page.locator(f"#more-{second.pk}")).to_be_visible()
    await page.keyboard.press("Escape")
    await card(page, second).focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/workers/{second.pk}")
    await page.keyboard.press("[")
    await page.wait_for_url(f"**/workers/{first.pk}")


async def test_two_keys_in_a_row_open_a_page_and_a_opens_the_dialog_from_anywhere(visit: Visit) -> None:  # noqa: F811
    await in_database(make.node)
    page = await visit("/history")
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await page.wait_for_url("**/specs")
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("gwa?")
    await expect(page.get_by_role("searchbox")).to_have_value("gwa?")
    await page.locator("h1").click()
    await page.keyboard.press("a")
    await page.wait_for_url("**/workers#add-to-queue")
    await expect(page.get_by_role("dialog", name="Add to queue")).to_be_visible()


async def test_the_arrows_go_through_the_specs_of_the_dialog(visit: Visit) -> None:  # noqa: F811
    await in_database(make.node)
    await in_database(lambda: [make.spec(title=title) for title in ("Needle", "Thread")])
    page = await visit()
    await page.keyboard.press("a")
    dialog = page.get_by_role("dialog", name="Add to queue")
    await expect(dialog.get_by_text("Thread")).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Space")
    await expect(dialog.get_by_label("Thread")).to_be_checked()
    await expect(dialog).to_contain_text("1 spec with 1 chunk; 5 slots free.")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("ArrowUp")
    await expect(dialog.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.press("Control+Enter")
    await expect(dialog).to_be_hidden()
    await expect(page.locator(".card .title")).to_have_text(["Thread"])


async def test_single_keys_can_be_switched_off_and_stay_so(visit: Visit) -> None:  # noqa: F811
    await in_database(make.node)
    page = await visit()
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    await expect(dialog).to_be_visible()
    await dialog.get_by_label("Single keys act").uncheck()
    await page.keyboard.press("Escape")
    await page.reload()
    await expect(page.locator("body")).to_have_attribute("data-live", "live")
    await page.keyboard.press("a")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.get_by_role("button", name="shortcuts").click()
    await dialog.get_by_label("Single keys act").check()
    await dialog.get_by_role("button", name="Close").last.click()
    await page.keyboard.press("a")
    await expect(page.get_by_role("dialog", name="Add to queue")).to_be_visible()


async def test_keys_do_nothing_that_a_viewer_may_not_do(visit: Visit) -> None:  # noqa: F811
    first, _ = await in_database(two_at_work)
    page = await visit(user="vic", staff=False)
    await page.keyboard.press("a")
    await page.keyboard.press("j")
    await page.keyboard.press("p")
    await page.keyboard.press("s")
    await expect(card(page, first)).to_be_focused()
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.goto(page.url + "#add-to-queue")
    await page.reload()
    await expect(page.locator("body")).to_have_attribute("data-live", "live")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    assert await in_database(lambda: Worker.objects.get(pk=first.pk).desired) == "run"
