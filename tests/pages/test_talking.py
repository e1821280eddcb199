"""The conversation with an agent and the answers to its questions, in a real browser."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from dashboard.pages import transcripts
from tests.live.conftest import in_database
from tests.pages.test_behaviour import chromium, valkey, visit, web  # noqa: F401
from tests.support import make
from tests.support.transcript import line, write
from workers.models import Attempt, Message, Question, Worker

PAUSE = 1000  # ms after an answer; before, the next question cannot be answered by a second press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def begin() -> Attempt:
    worker = make.agents_worker({"title": "One"}, {"title": "Two"}, slot=1)
    return Attempt.open(worker, worker.chunks.first())


@pytest_asyncio.fixture
async def attempt(transactional_db: None) -> Attempt:
    found = await in_database(begin)
    found.transcript_path.unlink(missing_ok=True)
    return found


def tell(attempt: Attempt, *lines: bytes) -> None:
    write(attempt.transcript_path, *lines)


def entries(page: Page, kind: str = "") -> Locator:
    return page.locator(f'#conversation [data-entry="{kind}"]' if kind else "#conversation > .entry:not([hidden])")


def tool(ident: str, status: str = "completed", **fields: Any) -> bytes:
    return line("tool", id=ident, title=f"Call {ident}", status=status, **fields)


async def of(attempt: Attempt) -> Worker:
    return await in_database(Worker.objects.get, chunks__attempts=attempt)


@pytest_asyncio.fixture
async def page(visit: Any, attempt: Attempt) -> Page:  # noqa: F811
    worker = await of(attempt)
    return await visit(f"/workers/{worker.pk}/conversation")


async def test_words_appear_as_they_are_said_and_stay_one_text(page, attempt):
    await expect(page.locator("[data-empty]")).to_have_text("Nothing has been said yet.")
    tell(attempt, line("text", id="1", text="I look at the "))
    said = entries(page, "text")
    await expect(said).to_contain_text("I look at the")
    await said.evaluate("element => { element.same = true; }")
    tell(attempt, line("text", id="1", text="**tests** first"))
    await expect(said.locator("strong")).to_have_text("tests")
    assert await said.evaluate("element => element.same")
    await expect(page.locator("[data-empty]")).to_be_hidden()


async def test_a_call_that_somebody_has_opened_stays_open_and_coloured_while_it_grows(page, attempt):
    tell(attempt, tool("1", "in_progress", output="\x1b[31mred\x1b[0m one"))
    call = entries(page, "tool")
    await call.locator("summary").click()
    await expect(call.locator(".a1")).to_have_text("red")
    tell(attempt, tool("1", output="\x1b[32mgreen\x1b[0m two"))
    await expect(call.locator(".a2")).to_have_text("green")
    await expect(call.locator(".a1")).to_have_count(0)
    await expect(call.locator("pre[data-ansi]")).to_be_visible()


async def test_calls_in_a_row_have_a_heading_that_counts_them(page, attempt):
    tell(attempt, tool("1"), tool("2"))
    head = page.locator("[data-heads]")
    await expect(head.locator("[data-count]")).to_have_text("2 tool calls")
    await expect(head.locator("[data-folded]")).to_have_text("2 folded")
    tell(attempt, tool("3"), line("text", id="1", text="so"), tool("4"))
    await expect(head.locator("[data-count]")).to_have_text("3 tool calls")
    await expect(head).to_have_count(1)
    await entries(page, "tool").first.locator("summary").click()
    await expect(head.locator("[data-folded]")).to_have_text("2 folded")


async def test_unfold_all_opens_what_is_there_and_what_comes(page, attempt):
    tell(attempt, tool("1", output="first"))
    await expect(entries(page)).to_have_count(1)
    await page.get_by_role("button", name="Unfold all").click()
    await expect(page.get_by_text("first")).to_be_visible()
    tell(attempt, tool("2", output="second"))
    await expect(page.get_by_text("second")).to_be_visible()
    await page.get_by_role("button", name="Unfold all").click()
    await expect(page.get_by_text("second")).to_be_hidden()


async def test_the_end_is_followed_until_somebody_scrolls_up(page, attempt):
    tell(attempt, *(line("text", id=str(n), text=f"word {n}") for n in range(60)))
    await expect(entries(page).last).to_be_in_viewport()
    box = page.locator("[data-scroll]")
    await box.hover()
    await page.mouse.wheel(0, -600)
    follow = page.get_by_role("button", name="Follow")
    await expect(follow).to_have_attribute("aria-pressed", "false")
    tell(attempt, *(line("text", id=f"x{n}", text=f"news {n}") for n in range(3)))
    news = page.locator("[data-new]")
    await expect(news).to_have_text("3 new")
    await expect(entries(page).last).not_to_be_in_viewport()
    await news.click()
    await expect(entries(page).last).to_be_in_viewport()
    await expect(news).to_be_hidden()
    await expect(follow).to_have_attribute("aria-pressed", "true")


async def test_earlier_entries_are_shown_and_what_was_read_stays_in_place(page, attempt):
    count = transcripts.MOST_ENTRIES + 50
    tell(attempt, *(line("text", id=str(n), text=f"word {n}") for n in range(count)))
    await page.reload()
    await expect(entries(page)).to_have_count(transcripts.MOST_ENTRIES)
    button = page.get_by_role("button", name="Show earlier")
    first = page.get_by_text("word 50", exact=True)
    await page.locator("[data-scroll]").evaluate("box => { box.scrollTop = 0; }")
    await expect(first).to_be_in_viewport()
    await button.click()
    await expect(entries(page)).to_have_count(count)
    await expect(first).to_be_in_viewport()
    await expect(button).to_be_hidden()


async def test_another_attempt_is_chosen_and_the_newest_comes_by_itself(page, attempt):
    tell(attempt, line("text", id="1", text="of the first"))
    await expect(entries(page)).to_contain_text("of the first")

    def next_chunk() -> Attempt:
        worker = Worker.objects.get()
        made = Attempt.open(worker, worker.chunks.last())
        made.transcript_path.unlink(missing_ok=True)
        return made

    second = await in_database(next_chunk)
    tell(second, line("text", id="1", text="of the second"))
    await expect(entries(page)).to_contain_text("of the second")
    await expect(page.locator("[data-log-name]")).to_have_text("Chunk 2, attempt 1")
    await page.get_by_role("link", name="One").click()
    await expect(entries(page)).to_contain_text("of the first")
    assert page.url.endswith(f"/conversation?attempt={attempt.pk}")


async def test_a_transcript_that_is_a_program_runs_nothing(page, attempt):
    evil = "<img src=x onerror=\"document.title = 'owned'\"><script>document.title = 'owned'</script>"
    tell(
        attempt,
        line("text", id="1", text=f"{evil} [x](javascript:document.title='owned')"),
        tool("1", output=evil, input={"a": evil}, diffs=[{"path": evil, "old": "", "new": evil}]),
        line("asked", question="q", title=evil, command=evil, options=[]),
        line("note", text=evil),
    )
    await expect(entries(page)).to_have_count(4)
    await page.get_by_role("button", name="Unfold all").click()
    assert "owned" not in await page.title()
    assert await page.locator("#conversation :is(img, script)").count() == 0


# Answers.


async def ask(kind: str = "permission", **facts: Any) -> Question:
    return await in_database(lambda: make.question(Worker.objects.get(), kind, **facts))


def panel(page: Page) -> Locator:
    return page.locator("[data-question]")


async def answered(question: Question) -> tuple[str, str, str]:
    async with asyncio.timeout(10):
        while (found := await in_database(Question.objects.get, pk=question.pk)).is_open:
            await asyncio.sleep(0.02)
    return found.option, found.answer, found.answered_by


async def test_a_question_appears_by_itself_and_a_key_answers_it(page):
    await expect(panel(page)).to_have_count(0)
    question = await ask(title="Delete the cache")
    await expect(panel(page)).to_contain_text("Delete the cache")
    assert (await page.title()).startswith("(!1) ")
    await page.keyboard.press("2")
    assert await answered(question) == ("no", "", "mira")
    await expect(panel(page)).to_have_count(0)
    await expect(page.locator("#nav-workers")).to_have_attribute("data-attention", "0")
    assert not (await page.title()).startswith("(!")


async def test_the_focus_does_not_get_lost_with_the_button(page):
    first, second = await ask(title="First"), await ask(title="Second")
    buttons = page.get_by_role("button", name="Allow once")
    await expect(buttons).to_have_count(2)
    await buttons.first.focus()
    await page.keyboard.press("Enter")
    await answered(first)
    await expect(buttons).to_have_count(1)
    await expect(page.locator(f"#question-{second.pk}")).to_be_focused()  # no button: a second Enter answers nothing
    await page.wait_for_timeout(PAUSE)
    await page.keyboard.press("1")
    await answered(second)
    await expect(page.get_by_role("tab", name="Conversation")).to_be_focused()


async def test_a_second_press_is_not_meant_for_the_next_question(page):
    first, second = await ask(title="First"), await ask(title="Second")
    buttons = page.get_by_role("button", name="Allow once")
    await expect(buttons).to_have_count(2)
    second_button = await page.locator(f"#question-{second.pk} [data-answer='1']").element_handle()
    await page.locator(f"#question-{first.pk} [data-answer='1']").click()
    await second_button.evaluate("(button) => button.click()")  # at once
    await answered(first)
    await expect(buttons).to_have_count(1)
    await page.wait_for_timeout(PAUSE)
    assert (await in_database(Question.objects.get, pk=second.pk)).is_open
    await page.keyboard.press("1")
    await answered(second)


async def test_keys_answer_nothing_while_the_focus_is_somewhere_else(page):
    question = await ask()
    await expect(panel(page)).to_have_count(1)
    await page.get_by_role("tab", name="Conversation").focus()
    await page.keyboard.press("1")
    await page.get_by_role("tab", name="Conversation").blur()
    assert (await in_database(Question.objects.get, pk=question.pk)).is_open
    await page.keyboard.press("1")
    await answered(question)


async def test_keys_answer_nothing_while_somebody_writes(page):
    question = await ask()
    words = page.get_by_label("Or answer in words")
    await words.fill("")
    await words.press_sequentially("1 2 3")
    await expect(panel(page)).to_be_visible()
    await words.press("Control+Enter")
    assert await answered(question) == ("no", "1 2 3", "mira")


async def test_what_is_being_written_survives_what_happens_meanwhile(page, attempt):
    await ask(title="First")
    answer, words = page.get_by_label("Or answer in words"), page.get_by_label("Tell the agent something")
    await answer.fill("because of the port")
    await words.fill("Use tabs")
    await words.evaluate("field => field.setSelectionRange(3, 3)")
    worker = await of(attempt)
    await in_database(worker.waits, "The provider limits requests until 14:05.")
    await ask(title="Second")
    await expect(page.locator(".attention")).to_have_count(2)
    await expect(page.get_by_text("The provider limits requests until 14:05.").first).to_be_visible()
    await expect(answer.first).to_have_value("because of the port")
    await expect(words).to_have_value("Use tabs")
    await expect(words).to_be_focused()
    assert await words.evaluate("field => field.selectionStart") == 3


async def test_a_stuck_chunk_is_tried_again_with_a_note(page):
    question = await ask("stuck")
    await page.get_by_label("A note for the next attempt").fill("start Redis first")
    await page.get_by_role("button", name="Retry chunk").click()
    assert await answered(question) == ("retry", "start Redis first", "mira")


async def test_a_chunk_is_skipped_only_after_a_question(page):
    question = await ask("stuck")
    await expect(panel(page)).to_be_visible()
    await page.keyboard.press("2")
    dialog = page.locator("#confirm")
    await expect(dialog).to_contain_text("is left out")
    await page.keyboard.press("1")
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Skip").click()
    assert await answered(question) == ("skip", "", "mira")


async def test_a_card_answers_too(visit, page):  # noqa: F811
    list_of_workers = await visit()
    question = await ask(detail={"command": "make clean"})
    await expect(list_of_workers.locator(".card-strip")).to_contain_text("make clean")
    await list_of_workers.locator(".card-strip").get_by_role("button", name="Allow once").click()
    assert await answered(question) == ("once", "", "mira")
    await expect(list_of_workers.locator(".card-strip")).to_have_count(0)
    await expect(panel(page)).to_have_count(0)


async def test_who_comes_second_reads_who_was_first(page):
    question = await ask()
    button = panel(page).get_by_role("button", name="Allow once")
    await expect(button).to_be_visible()
    await page.route("**/answer", lambda route: in_time(route))
    await button.click()
    await expect(page.locator(".toast.tone-bad")).to_contain_text("ines has answered this already.")
    assert await answered(question) == ("no", "", "ines")


async def in_time(route: Any) -> None:
    """Somebody else is faster."""
    await in_database(lambda: Question.objects.get().respond("no", "", "ines"))
    await route.continue_()


async def test_a_viewer_sees_what_is_asked_and_can_press_nothing(visit, attempt):  # noqa: F811
    question = await ask(title="Delete the cache")
    worker = await of(attempt)
    page = await visit(f"/workers/{worker.pk}/conversation", user="vic", staff=False)
    await expect(panel(page)).to_contain_text("Delete the cache")
    await expect(panel(page).get_by_role("button")).to_have_count(0)
    await expect(page.get_by_label("Tell the agent something")).to_be_hidden()
    await page.keyboard.press("1")
    await page.goto(page.url)
    assert (await in_database(Question.objects.get, pk=question.pk)).is_open


# Messages.


async def test_a_message_is_sent_with_ctrl_enter_and_listed_until_it_was_said(page):
    words = page.get_by_label("Tell the agent something")
    await words.fill("Use tabs")
    await words.press("Control+Enter")
    unsaid = page.locator(".words-unsaid")
    await expect(unsaid).to_contain_text("Use tabs")
    await expect(unsaid).to_contain_text("at the end of the turn")
    await expect(words).to_have_value("")
    await in_database(lambda: Message.objects.get().said(Worker.objects.get()))
    await expect(unsaid).to_have_count(0)


async def test_interrupt_and_send_is_said_at_once(page):
    await page.get_by_label("Tell the agent something").fill("Stop that")
    await page.get_by_role("button", name="Interrupt and send").click()
    await expect(page.locator(".words-unsaid")).to_contain_text("interrupts the turn")
    assert (await in_database(Message.objects.get)).now


async def test_an_empty_message_is_refused_and_says_why(page):
    await page.get_by_role("button", name="Send", exact=False).first.click()
    await expect(page.locator(".toast.tone-bad")).to_contain_text("Say something.")


@pytest.mark.parametrize("width", [360, 768, 1920])
async def test_no_width_makes_the_page_wider_than_the_screen(page, attempt, width):
    tell(
        attempt,
        tool("1", output="x" * 3000),
        line("text", id="1", text="y" * 3000 + "\n\n|" + "a|" * 60 + "\n|" + "-|" * 60),
    )
    await ask(detail={"command": "z" * 400, "diffs": []})
    await expect(entries(page)).to_have_count(2)
    await page.get_by_role("button", name="Unfold all").click()
    await page.set_viewport_size({"width": width, "height": 800})
    await expect(panel(page)).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
