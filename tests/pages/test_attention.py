"""What workers wait for a person with: on cards, on their pages, and answered from there."""

import re
from decimal import Decimal

import pytest
from django.test import Client

from dashboard.pages import fragments
from dashboard.pages.questions import Ask, open_questions
from dashboard.templatetags.specyard import timed
from tests.support import make
from workers.models import Attempt, Message, Question, Worker
from workers.states import AttemptStatus, ChunkOutcome, Reason

pytestmark = pytest.mark.django_db(transaction=True)
ALWAYS = {"id": "all", "name": "Always allow docker compose", "kind": "allow_always"}
EDIT = {"path": "/yard/w/src/a.py", "old": "one\n", "new": "two\nthree\n"}


@pytest.fixture
def worker(node):
    return make.agents_worker({"title": "Wire the store"}, slot=1)


@pytest.fixture
def permission(worker):
    detail = {"command": "docker compose up -d <redis>", "diffs": []}
    return make.question(worker, title="Start Redis", detail=detail, options=[make.DENY, ALWAYS, make.ALLOW])


@pytest.fixture
def stuck(worker):
    attempt = Attempt.open(worker, worker.chunks.first())
    facts = {"reason": "review_failed", "message": "Two tests fail.", "findings": "x"}
    Question.ask_about_failure(worker, attempt, "Two attempts have failed in the same way: Two tests fail.", **facts)
    return Question.objects.get()


def page(client: Client, worker: Worker) -> str:
    return client.get(f"/workers/{worker.pk}").content.decode()


def panel(worker: Worker) -> str:
    worker.refresh_from_db()
    return fragments.worker_attention(worker).render()


def panel_of(worker: Worker, options: list[dict[str, str]]) -> str:
    make.question(worker, options=options)
    return panel(worker)


# What is shown.


def test_a_worker_that_waits_for_nobody_has_an_empty_panel(worker):
    assert panel(worker).split(">", 1)[1].strip() == "</div>"


def test_the_panel_says_what_is_asked_and_what_exactly(viewer, worker, permission):
    html = page(viewer, worker)
    for part in (
        "Agent asks permission",
        "chunk 1: Wire the store",
        "Start Redis",
        "docker compose up -d &lt;redis&gt;",
        "waiting ",
        "The agent decides which requests are like this one: “Always allow docker compose”.",
    ):
        assert part in html, part


def test_buttons_stand_in_the_same_order_under_the_same_words_whatever_the_agent_calls_them(permission):
    found = [(one.key, one.label, one.id) for one in Ask(permission).choices]
    assert found == [(1, "Allow once", "once"), (2, "Allow always", "all"), (3, "Deny", "no")]


@pytest.mark.parametrize("name", ["Allow always", "Always allow", "always"])
@pytest.mark.parametrize("kind", ["allow_always", "reject_always"])
def test_always_says_for_whom_how_long_and_for_what_it_holds(worker, name, kind):
    asked = make.question(worker, text="execute", options=[make.ALLOW, {"id": "all", "name": name, "kind": kind}])
    Attempt.objects.update(profile="codex")
    html = panel(worker)
    scope = html.partition(f'id="scope-{asked.pk}">')[2].partition("</p>")[0]
    assert scope == (
        f"Always holds for worker {worker.pk} alone, until its agent\N{RIGHT SINGLE QUOTATION MARK}s session ends. "
        "The agent decides which execute requests are like this one. The profile codex stays as it is."
    )
    assert html.count(f'aria-describedby="scope-{asked.pk}"') == 1


def test_what_a_button_says_about_always_is_not_said_twice(worker):
    for_npm, for_all = ({**ALWAYS, "id": name, "name": f"Allow {name}"} for name in ("npm", "all"))
    html = panel_of(worker, [for_npm, for_all])
    assert "Allow npm" in html
    assert "“" not in html.partition('class="attention-scope"')[2].partition("</p>")[0]


def test_options_of_one_kind_keep_their_own_names(worker):
    again = {**make.DENY, "id": "no2", "name": "No, and tell the agent why"}
    asked = make.question(worker, options=[make.ALLOW, make.DENY, again])
    assert [one.label for one in Ask(asked).choices] == ["Allow once", "Deny", "No, and tell the agent why"]


def test_options_of_an_unknown_kind_are_offered_last(worker):
    asked = make.question(worker, options=[{"id": "x", "name": "Maybe", "kind": "perhaps"}, make.DENY])
    assert [one.label for one in Ask(asked).choices] == ["Deny", "Maybe"]


def test_an_edit_is_shown_before_it_is_made(worker):
    worker.prepared("/yard/w", "b", "c")
    make.question(worker, title="Edit a.py", detail={"command": "", "diffs": [EDIT]})
    html = panel(worker)
    assert '<span class="tool-title truncate">src/a.py</span>' in html
    assert '<tr class="edit-added"><td></td><td>2</td><td>three</td></tr>' in html


def test_an_agent_that_cannot_go_on_is_answered_in_words(worker):
    make.question(worker, kind="blocked", text="Which **rate** holds?")
    html = panel(worker)
    assert "Agent cannot go on" in html
    assert "Which <strong>rate</strong> holds?" in html
    assert "Send answer" in html
    assert "data-answer" not in html


def test_a_stuck_chunk_offers_retry_skip_and_stop(worker, stuck):
    html = panel(worker)
    for part in ("Chunk is stuck", "Two attempts have failed", "Retry chunk", "Skip chunk", "Stop", "A note for the"):
        assert part in html, part


def test_several_questions_are_shown_the_oldest_first_and_the_rest_is_counted(worker):
    for number in range(7):
        make.question(worker, title=f"Ask {number}")
    html = panel(worker)
    assert html.index("Ask 0") < html.index("Ask 4")
    assert "Ask 5" not in html
    assert "2 more questions wait behind these" in html
    assert html.count("data-question") == 1


def test_whatever_an_agent_asks_can_be_drawn(worker):
    odd = [None, 7, "x\x00", [], [None, {}], {"a": []}]
    for value in odd:
        detail = {"command": value, "diffs": value}
        make.question(worker, title="", text="", detail=detail, options=[{"id": "a", "name": value, "kind": value}])
    assert "attention" in panel(worker)
    fragments.card(worker).render()


def test_the_card_asks_for_what_can_be_answered_at_a_glance(worker, permission):
    html = fragments.card(worker).render()
    assert '<span class="line" title="Start Redis">docker compose up -d &lt;redis&gt;</span>' in html
    assert "Allow once" in html
    assert "Deny" in html
    assert "Allow always" not in html
    assert f'href="/workers/{worker.pk}"><span data-operator>Answer</span><span data-viewer>Open</span></a>' in html


def test_what_has_to_be_looked_at_is_not_allowed_on_the_card(worker):
    make.question(worker, title="Clean up", detail={"input": '{"path": "/"}'})
    worker.refresh_from_db()
    html = fragments.card(worker).render()
    assert "Clean up" in html
    assert "Allow once" not in html
    assert "Answer</span>" in html
    assert "{&quot;path&quot;: &quot;/&quot;}" in fragments.worker_attention(worker).render()


def test_nothing_of_what_is_to_be_allowed_is_hidden(worker):
    diffs = [{"path": f"{n}.txt", "old": "", "new": "a\u202eb\n"} for n in range(12)]
    detail = {"command": "rm -rf \u200b/ # \u202egnp.exe", "diffs": diffs, "more": 3}
    make.question(worker, title="Run \u202etests", detail=detail)
    worker.refresh_from_db()
    html = fragments.worker_attention(worker).render() + fragments.card(worker).render()
    assert not {"\u202e", "\u200b"} & set(html)
    assert "rm -rf ⟨U+200B⟩/ # ⟨U+202E⟩gnp.exe" in html
    assert "5 more files would be changed" in html


def test_the_card_of_a_stuck_worker_offers_retry_and_skip(worker, stuck):
    worker.refresh_from_db()
    html = fragments.card(worker).render()
    assert "Two attempts have failed" in html
    assert "Retry chunk" in html
    assert "Skip chunk" in html
    assert '<i class="waiting"></i>' in html


def test_the_cards_of_workers_that_wait_cost_one_query_more(worker, permission, django_assert_num_queries):
    make.question(make.agents_worker(slot=2))
    ids = list(Worker.objects.values_list("pk", flat=True))
    with django_assert_num_queries(3):
        assert [card.render() for card in fragments.cards(ids)]


def test_the_timeline_shows_where_the_worker_waited(worker, permission):
    worker.refresh_from_db()
    html = fragments.worker_timeline(worker).render()
    assert '<rect class="waiting"' in html
    assert "Needs attention" in html
    permission.respond("once", "", "mira")
    worker.refresh_from_db()
    html = fragments.worker_timeline(worker).render()
    assert '<rect class="waiting"' in html
    assert "Needs attention" not in html


def test_the_title_and_the_navigation_count_workers_that_wait(viewer, worker, permission):
    assert 'data-attention="1"' in page(viewer, worker)


def test_what_a_worker_waits_for_by_itself_is_shown(viewer, worker):
    worker.waits("The provider limits requests until 14:05.")
    assert "The provider limits requests until 14:05. <span" in page(viewer, worker)
    assert "The provider limits requests" in fragments.card(worker).render()


def test_until_when_it_waits_is_told_in_the_zone_of_the_reader(viewer, worker):
    worker.waits("Until 2026-11-20T14:05:00+00:00: <b>Too many</b> requests.")
    html = page(viewer, worker)
    assert '<time datetime="2026-11-20T14:05:00+00:00" data-clock="minute">14:05</time>: &lt;b&gt;Too many' in html


@pytest.mark.parametrize("text", ["", "Until 2026-99-99T99:99", "Until 2026-02-31T10:00:00Z", "14:05"])
def test_what_is_no_moment_stays_as_it_is(text):
    assert timed(text) == text


# What is answered.


def test_an_operator_answers_and_the_panel_is_gone(act, worker, permission):
    reply = act("post", f"/questions/{permission.pk}/answer", {"option": "once"})
    assert reply.status_code == 200
    text = reply.content.decode()
    assert f'hx-target="#worker-{worker.pk}-attention"' in text
    assert "Agent asks permission" not in text
    permission.refresh_from_db()
    assert (permission.option, permission.answer, permission.answered_by) == ("once", "", "mira")
    assert open_questions([worker.pk]) == {worker.pk: []}


def test_words_go_with_the_answer(act, permission):
    act("post", f"/questions/{permission.pk}/answer", {"option": "no", "text": "  use port 6380\n"})
    permission.refresh_from_db()
    assert (permission.option, permission.answer) == ("no", "use port 6380")


def test_a_retry_may_carry_a_note(act, stuck):
    act("post", f"/questions/{stuck.pk}/answer", {"option": "retry", "text": "start Redis first"})
    stuck.refresh_from_db()
    assert (stuck.option, stuck.answer) == ("retry", "start Redis first")


@pytest.mark.parametrize("values", [{}, {"option": "allow"}, {"option": ""}, {"option": "once", "text": "x" * 20_001}])
def test_what_is_no_answer_is_refused_with_a_reason(act, permission, values):
    reply = act("post", f"/questions/{permission.pk}/answer", values)
    assert reply.status_code == 409
    assert "toast" in reply.content.decode()
    if values.get("option") != "once":
        assert "Choose one of: Allow once, Allow always, Deny." in reply.content.decode()
    permission.refresh_from_db()
    assert permission.is_open


def test_an_empty_answer_in_words_is_refused(act, worker):
    asked = make.question(worker, kind="blocked")
    reply = act("post", f"/questions/{asked.pk}/answer", {"text": "  "})
    assert (reply.status_code, "Say something." in reply.content.decode()) == (409, True)


def test_who_comes_second_is_told_who_was_first(act, permission):
    permission.respond("once", "", "ines")
    reply = act("post", f"/questions/{permission.pk}/answer", {"option": "no"})
    assert reply.status_code == 409
    assert "ines has answered this already." in reply.content.decode()


def test_a_question_that_is_gone_cannot_be_answered(act, worker, permission):
    permission.attempt.close(worker, AttemptStatus.FAILED, ChunkOutcome.PENDING)
    assert act("post", f"/questions/{permission.pk}/answer", {"option": "once"}).status_code == 409


def test_a_viewer_sees_the_question_and_may_not_answer_it(viewer, worker, permission):
    assert "Start Redis" in page(viewer, worker)
    assert viewer.post(f"/questions/{permission.pk}/answer", {"option": "once"}).status_code == 403
    permission.refresh_from_db()
    assert permission.is_open


def test_each_form_has_a_token_that_stands_outside_of_the_region_that_everybody_gets(operator, worker, permission):
    html = operator.get(f"/workers/{worker.pk}/conversation").content.decode()
    worker.refresh_from_db()
    regions = [fragments.worker_attention(worker).render(), fragments.worker_words(worker).render()]
    forms = [
        form for region in regions for form in re.findall(r'<form [^>]*id="([^"]+)" method="post" action=', region)
    ]
    assert len(forms) == 3
    assert re.findall(r'name="csrfmiddlewaretoken" value="\w+" form="([^"]+)"', html) == forms
    assert all(region in html and "csrf" not in region and region.count("<form") < 3 for region in regions)


def test_without_scripts_an_answer_leads_back_to_the_worker(operator, worker, permission):
    reply = operator.post(f"/questions/{permission.pk}/answer", {"option": "once"})
    assert reply["Location"] == f"/workers/{worker.pk}"


# What people tell an agent at work.


@pytest.fixture
def talking(worker):
    Attempt.open(worker, worker.chunks.first())
    return worker


def conversation(client: Client, worker: Worker) -> str:
    return client.get(f"/workers/{worker.pk}/conversation").content.decode()


def test_an_operator_tells_the_agent_something(act, talking):
    reply = act("post", f"/workers/{talking.pk}/messages", {"text": " Use tabs "})
    assert reply.status_code == 200
    assert "Use tabs" in reply.content.decode()
    assert "mira, at the end of the turn" in reply.content.decode()
    message = Message.objects.get()
    assert (message.text, message.by, message.now) == ("Use tabs", "mira", False)


def test_an_urgent_message_interrupts_the_turn(act, talking):
    reply = act("post", f"/workers/{talking.pk}/messages", {"text": "Stop that", "now": "1"})
    assert "mira, interrupts the turn" in reply.content.decode()
    assert Message.objects.get().now


def test_what_was_said_waits_no_longer(viewer, talking):
    message = Message.send(talking, "Use tabs", "mira")
    assert "Use tabs" in conversation(viewer, talking)
    message.said(talking)
    assert "Use tabs" not in conversation(viewer, talking)


@pytest.mark.parametrize("text", ["", "  \n", "x" * 20_001])
def test_what_cannot_be_said_is_refused(act, talking, text):
    assert act("post", f"/workers/{talking.pk}/messages", {"text": text}).status_code == 409
    assert not Message.objects.exists()


def test_who_is_not_there_cannot_be_told_anything(act, viewer, talking):
    assert "Tell the agent something" in conversation(viewer, talking)
    talking.fail(Reason.CHUNK_FAILED, "no")
    assert "Tell the agent something" not in conversation(viewer, talking)
    reply = act("post", f"/workers/{talking.pk}/messages", {"text": "hello"})
    assert reply.status_code == 409
    assert "has already ended" in reply.content.decode()


def test_while_a_command_runs_the_page_says_that_nobody_listens(viewer, node):
    worker = make.agents_worker({"executor": "command", "params": {"run": "true"}}, {})
    Attempt.open(worker, worker.chunks.first())
    assert "No agent is at work" in conversation(viewer, worker)


def test_a_viewer_may_not_tell_anything(viewer, talking):
    assert viewer.post(f"/workers/{talking.pk}/messages", {"text": "x"}).status_code == 403


# What agents have used.


def test_tokens_and_cost_are_shown_with_their_units(viewer, talking):
    attempt = Attempt.objects.get()
    attempt.chunk = talking.chunks.first()
    attempt.used(talking, 180_000, 4_000, Decimal("1.92"))
    talking.refresh_from_db()
    told = "184k <i>tokens</i> $1.92"
    for fragment in (fragments.card(talking), fragments.worker_facts(talking), fragments.worker_timeline(talking)):
        assert told in fragment.render(), fragment.target
    assert viewer.get(f"/attempts/{attempt.pk}/conversation").json()["usage"] == f'<span class="usage">{told}</span>'


def test_without_tokens_there_is_only_a_price(talking):
    Worker.objects.update(cost=Decimal("1.92"))
    talking.refresh_from_db()
    for fragment in (fragments.card(talking), fragments.worker_facts(talking)):
        assert '<span class="usage">$1.92</span>' in fragment.render()


def test_what_came_from_a_cache_is_told_in_words(viewer, talking):
    attempt = Attempt.objects.get()
    attempt.chunk = talking.chunks.first()
    attempt.used(talking, 180_000, 4_000, Decimal(0), 150_000, 2_000)
    talking.refresh_from_db()
    told = "of these 150k read from a cache, 2.0k written to a cache"
    assert told in fragments.worker_facts(talking).render()
    assert f"180k tokens in ({told}), 4.0k out" in fragments.worker_timeline(talking).render()


def test_without_a_price_there_are_only_tokens(talking):
    Worker.objects.update(tokens_in=900)
    talking.refresh_from_db()
    html = fragments.card(talking).render()
    assert "900 <i>tokens</i></span>" in html
    assert "$" not in html.split("card-usage")[1].split("</div>")[0]
