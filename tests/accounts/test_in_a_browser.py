"""Signing in by a link, and the pages of accounts, tokens and the audit log, in a real browser."""

import re

import pytest
from playwright.async_api import Page, expect

from dashboard import signin
from dashboard.webhooks import verbs
from tests.accounts.conftest import account
from tests.live.conftest import in_database
from tests.pages.test_behaviour import Visit, chromium, valkey, visit, web  # noqa: F401
from tests.support.web import Web

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"width": 360, "height": 740}


def link_of(name: str) -> str:
    return signin.create_link(account(name, "admin"))


async def test_a_link_on_this_machine_signs_in_by_itself(visit: Visit, web: Web) -> None:  # noqa: F811
    page = await visit("/workers")
    await page.context.clear_cookies()
    await page.goto(web.url + await in_database(link_of, "ada"))
    await page.wait_for_url("**/workers")
    await expect(page.get_by_role("button", name="Account of ada")).to_be_visible()


async def test_a_token_is_made_by_keyboard_and_revoked(visit: Visit) -> None:  # noqa: F811
    page = await visit("/account/tokens")
    await page.get_by_label("Name").focus()
    await page.keyboard.type("Nightly build")
    await page.keyboard.press("Enter")
    secret = page.get_by_label("Secret", exact=True)
    await expect(secret).to_be_focused()
    await expect(secret).to_have_value(re.compile(r"^specyard_\w{43}$"))
    await page.get_by_role("button", name="Revoke Nightly build").focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(page.get_by_role("cell", name="revoked")).to_be_visible()
    await expect(secret).to_have_count(0)


async def test_an_account_is_closed_after_a_question(visit: Visit) -> None:  # noqa: F811
    mira = await in_database(account, "noor", "operator")
    page = await visit(f"/accounts/{mira.pk}")
    await page.get_by_role("button", name="Close account").click()
    await page.get_by_role("dialog").get_by_role("button", name="Close").click()
    await expect(page.get_by_role("button", name="Open account")).to_be_visible()


async def test_the_secret_of_a_webhook_is_replaced_after_a_question(visit: Visit) -> None:  # noqa: F811
    webhook, _ = await in_database(verbs.create, "https://example.org/hook")
    page = await visit(f"/webhooks/{webhook.pk}")
    await page.get_by_role("button", name="Replace secret").click()
    await page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    secret = page.get_by_label("Secret", exact=True)
    await expect(secret).to_have_value(re.compile(r"^whsec_\S{20,}$"))
    await expect(secret).to_be_focused()
    await expect(page.locator("main")).to_have_count(1)


@pytest.mark.parametrize("path", ["/accounts", "/account/tokens", "/account/password", "/audit"])
async def test_nothing_is_wider_than_a_phone(visit: Visit, path: str) -> None:  # noqa: F811
    await in_database(account, "a-name-that-is-rather-long-for-a-phone@example.org", "operator")
    page = await visit(path)
    await page.set_viewport_size(PHONE)
    assert await too_wide(page) == []


async def too_wide(page: Page) -> list[str]:
    """What reaches beyond its panel or the screen; a long text is cut with an ellipsis."""
    script = """
    [...document.querySelectorAll("main :is(.panel, .table-wrap, .input, .button, td)")].filter((element) => {
      const frame = element.parentElement.closest(".panel, .table-wrap, main").getBoundingClientRect();
      return element.getBoundingClientRect().right > Math.min(frame.right, innerWidth) + 1;
    }).map((element) => element.outerHTML.slice(0, 80))"""
    whole = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return [*await page.evaluate(script), *(["the page"] if whole else [])]
