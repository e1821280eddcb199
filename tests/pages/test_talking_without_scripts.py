"""What people say to agents before the scripts of the page have been loaded, or where they never are."""
# ruff: noqa: F811, F401 - fixtures that other files define

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from django.conf import settings
from playwright.async_api import Browser, Page, expect

from tests.live.conftest import in_database
from tests.pages.test_behaviour import chromium, valkey, web
from tests.pages.test_talking import answered, ask, attempt, of
from tests.support.web import Web, session_cookie
from workers.models import Message

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest_asyncio.fixture
async def bare(chromium: Browser, web: Web) -> AsyncIterator[Page]:
    """A browser that runs no scripts, with an operator signed in."""
    context = await chromium.new_context(java_script_enabled=False)
    cookie = await in_database(session_cookie)
    await context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": web.url}])
    yield await context.new_page()
    await context.close()


async def test_a_permission_is_given_by_the_form_itself(bare, web, attempt):
    question = await ask()
    worker = await of(attempt)
    await bare.goto(f"{web.url}/workers/{worker.pk}")
    await bare.get_by_role("button", name="Allow once").click()
    assert await answered(question) == ("once", "", "mira")
    assert bare.url == f"{web.url}/workers/{worker.pk}"


async def test_an_answer_in_words_is_no_part_of_the_address(bare, web, attempt):
    first, second = await ask(title="First"), await ask(title="Second")
    worker = await of(attempt)
    await bare.goto(f"{web.url}/workers/{worker.pk}")
    form = bare.locator(f"#question-{second.pk}")
    await form.get_by_label("Or answer in words").fill("the key is in the safe")
    await form.get_by_role("button", name="Send answer").click()
    assert await answered(second) == ("no", "the key is in the safe", "mira")
    assert "safe" not in bare.url
    await expect(bare.locator(f"#question-{first.pk}")).to_be_visible()


async def test_a_message_is_sent_and_listed(bare, web, attempt):
    worker = await of(attempt)
    await bare.goto(f"{web.url}/workers/{worker.pk}/conversation")
    await bare.get_by_label("Tell the agent something").fill("Use tabs")
    await bare.get_by_role("button", name="Interrupt and send").click()
    await expect(bare.locator(".words-unsaid")).to_contain_text("Use tabs")
    assert bare.url == f"{web.url}/workers/{worker.pk}/conversation"
    message = await in_database(Message.objects.get)
    assert (message.text, message.now) == ("Use tabs", True)


async def test_a_chunk_is_not_skipped_without_the_question_that_only_scripts_ask(bare, web, attempt):
    question = await ask("stuck")
    worker = await of(attempt)
    await bare.goto(f"{web.url}/workers/{worker.pk}")
    await bare.get_by_role("button", name="Skip chunk").click()
    await bare.get_by_label("A note for the next attempt").fill("start Redis first")
    await bare.get_by_role("button", name="Retry chunk").click()
    assert await answered(question) == ("retry", "start Redis first", "mira")
