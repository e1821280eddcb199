"""What is drawn when, and who gets it; without a database."""

import pytest

from dashboard.live import drawing
from dashboard.live.board import PACE, Board
from dashboard.live.drawing import Drawn
from dashboard.live.outbox import Change, Look
from dashboard.live.sockets import Socket
from dashboard.live.topics import CHANGES, INSIDE, OF_EACH_PAGE, SHOWN, BadTopics, Region, Topic, changed, parse
from workers.states import EventKind

QUEUE, NAV, ACTIVE, CARD = Region("queue"), Region("nav"), Region("active"), Region("card", 7)


def page(board: Board, topics: str = "workers", *, new: bool = False) -> Socket:
    socket = Socket(parse(topics), "key", 1, behind=new)
    board.sockets.add(socket)
    return socket


def happens(kind: str, worker: int | None = None, **data: object) -> Look:
    return Look(1, [Change(kind, worker, data)])


def got(socket: Socket) -> list[str]:
    texts = []
    while not socket._out.empty():
        text = socket._out.get_nowait()
        if text is not None and not text.startswith("{"):
            texts.append(text)
    return texts


def hand_out(board: Board, html: dict[Region, str], now: float) -> None:
    drawn = {region: Drawn(text) for region, text in html.items()}
    board.hand_out(drawn, board.take_due(now), board.newcomers, 1, now)


def test_a_first_change_is_due_at_once_and_the_next_after_the_pace():
    board = Board()
    page(board)
    board.mark(happens(EventKind.QUEUE_UPDATED), 100.0)
    assert QUEUE in board.take_due(100.0)
    hand_out(board, {QUEUE: "<a>"}, 100.0)
    board.mark(happens(EventKind.QUEUE_UPDATED), 100.01)
    assert QUEUE not in board.take_due(100.02)
    assert QUEUE in board.take_due(100.0 + PACE)
    assert board.next_time == 100.0 + PACE


def test_sums_of_what_agents_use_are_drawn_at_a_slow_pace():
    board, usage = Board(), Region("profile_usage")
    page(board, "profiles")
    board.mark(happens(EventKind.WORKER_PROGRESS, 7, tokens_in=1), 100.0)
    assert usage in board.take_due(100.0)
    hand_out(board, {usage: "<a>"}, 100.0)
    board.mark(happens(EventKind.WORKER_PROGRESS, 7, tokens_in=2), 101.0)
    assert usage not in board.take_due(104.9)
    assert usage in board.take_due(105.0)
    assert board.next_time == 105.0


def test_what_nobody_shows_is_not_drawn():
    board = Board()
    page(board, "worker:3")
    board.mark(happens(EventKind.WORKER_PROGRESS, 7, log_bytes=1), 1.0)
    board.mark(happens(EventKind.QUEUE_UPDATED), 1.0)
    assert board.take_due(1.0) == {Region("status")}


@pytest.mark.parametrize("wrote", ["log_bytes", "transcript_bytes"])
def test_what_a_worker_or_its_agent_writes_changes_nothing_of_its_own_page(wrote):
    board = Board()
    page(board, "worker:7")
    board.mark(happens(EventKind.WORKER_PROGRESS, 7, **{wrote: 1}), 1.0)
    assert board.take_due(1.0) == set()


def test_a_question_is_drawn_on_the_page_of_its_worker_and_counted_everywhere():
    board = Board()
    page(board, "worker:7")
    board.mark(happens(EventKind.WORKER_ATTENTION, 7, open=1), 1.0)
    assert {NAV, Region("attention", 7), Region("timeline", 7)} <= board.take_due(1.0)


def test_the_list_is_drawn_when_an_ended_worker_is_removed():
    for told, is_drawn in (({"removed": True}, True), ({"desired": "stop"}, False)):
        found = changed(Change(EventKind.WORKER_PROGRESS, 7, told), [Topic("workers")])
        assert (ACTIVE in found) == is_drawn


def test_a_card_is_not_drawn_beside_the_list_that_contains_it():
    board = Board()
    page(board)
    board.mark(happens(EventKind.WORKER_PROGRESS, 7, log_bytes=1), 1.0)
    board.mark(happens(EventKind.WORKER_STARTED, 7), 1.0)
    due = board.take_due(1.0)
    assert ACTIVE in due
    assert CARD not in due


def test_the_same_html_is_sent_once():
    board = Board()
    socket = page(board)
    for now in (1.0, 2.0, 3.0):
        board.mark(happens(EventKind.QUEUE_UPDATED), now)
        hand_out(board, {QUEUE: "<a>" if now < 3 else "<b>"}, now)
    assert got(socket) == ["<a>", "<b>"]


def test_a_card_that_is_as_before_is_sent_again_after_the_list_was():
    board = Board()
    socket = page(board)
    progress, started = happens(EventKind.WORKER_PROGRESS, 7, log_bytes=1), happens(EventKind.WORKER_STARTED, 8)
    for now, event, region, html in (
        (1.0, progress, CARD, "<card 1>"),
        (2.0, started, ACTIVE, "<list with card 2>"),
        (3.0, progress, CARD, "<card 1>"),
        (4.0, started, ACTIVE, "<list with card 2>"),
    ):
        board.mark(event, now)
        hand_out(board, {region: html}, now)
    assert got(socket) == ["<card 1>", "<list with card 2>", "<card 1>", "<list with card 2>"]


def test_a_newcomer_gets_all_and_the_others_only_what_changed():
    board = Board()
    old, new = page(board), page(board, new=True)
    board.mark(happens(EventKind.QUEUE_UPDATED), 1.0)
    hand_out(board, {QUEUE: "<q>", NAV: "<n>"}, 1.0)
    assert got(old) == ["<q>"]
    assert got(new) == ["<q><n>"]


def test_what_a_newcomer_was_sent_differently_is_not_taken_for_known():
    board = Board()
    old = page(board)
    board.mark(happens(EventKind.QUEUE_UPDATED), 1.0)
    hand_out(board, {QUEUE: "<one>"}, 1.0)
    new = page(board, new=True)
    hand_out(board, {QUEUE: "<two>"}, 2.0)
    board.mark(happens(EventKind.QUEUE_UPDATED), 3.0)
    hand_out(board, {QUEUE: "<one>"}, 3.0)
    assert got(new) == ["<two>", "<one>"]
    assert got(old) == ["<one>", "<one>"]


def test_what_looks_different_by_itself_becomes_due_in_time():
    board = Board()
    page(board, new=True)
    board.hand_out({QUEUE: Drawn("<q>", again_in=30.0)}, set(), board.newcomers, 1, 100.0)
    board.mark(Look(1, []), 129.0)
    assert board.take_due(129.0) == set()
    assert board.next_time == 130.0
    board.mark(Look(1, []), 130.0)
    assert board.take_due(130.0) == {QUEUE}


def test_memory_does_not_grow_with_the_number_of_workers():
    board = Board()
    page(board)
    for number in range(1, 300):
        board.mark(happens(EventKind.WORKER_PROGRESS, number, log_bytes=1), float(number))
        hand_out(board, {Region("card", number): "<card>"}, float(number))
        board.forget_old(float(number))
    assert len(board._sent) < 100
    assert len(board._drawn_at) < 100


@pytest.mark.parametrize("kind", EventKind.values)
def test_every_kind_of_event_changes_regions_that_some_page_shows(kind):
    topics = [Topic(name, 7 if shown.numbered else 0) for name, shown in SHOWN.items()]
    assert changed(Change(kind, 7, {"spec": 7}), topics)
    assert changed(Change(kind, 7, {}), topics)
    assert set(CHANGES) == set(EventKind.values)


def test_every_name_in_the_tables_is_a_region_of_some_page():
    names = {name for shown in SHOWN.values() for name in (*shown.whole, *shown.parts)}
    assert {name for changes in CHANGES.values() for name in changes} - set(OF_EACH_PAGE) <= names
    assert {*INSIDE, *INSIDE.values()} <= names
    assert all(region in SHOWN[page].whole for page, region in OF_EACH_PAGE.values())
    assert names == {*drawing.SHARED, *drawing.FILTERED, *drawing.OF_A_WORKER, *drawing.OF_A_SPEC, *INSIDE}


def test_what_may_change_any_row_changes_the_list_of_specs_of_every_page():
    change = Change(EventKind.SETTINGS_CHANGED, None, {"action": "spec_deleted"})
    pages = parse("specs,specs:q=mail%2C+post&project=a")
    lists = {region for region in changed(change, pages) if region.name == "spec_list"}
    assert lists == {Region("spec_list"), Region("spec_list", filter="q=mail%2C+post&project=a")}


def test_a_row_is_drawn_alone_unless_every_list_that_may_contain_it_is():
    board = Board()
    page(board, "specs")
    board.mark(happens(EventKind.SETTINGS_CHANGED, spec=3), 1.0)
    assert Region("spec_row", 3) not in board.take_due(1.0)
    page(board, "specs:q=mail")
    board._due = {Region("spec_row", 3): 1.0, Region("spec_list"): 1.0}
    assert Region("spec_row", 3) in board.take_due(1.0)


def test_pages_with_different_filters_get_their_own_list():
    board = Board()
    every, some = page(board, "specs"), page(board, "specs:q=mail")
    board.mark(happens(EventKind.SETTINGS_CHANGED, action="spec_saved", spec=3), 1.0)
    hand_out(board, {Region("spec_list"): "<all>", Region("spec_list", filter="q=mail"): "<some>"}, 1.0)
    assert (got(every), got(some)) == (["<all>"], ["<some>"])


@pytest.mark.parametrize(
    "topics", ["worker", "worker:x", "worker:0", "workers:1", "specs:<", "specs:" + "x" * 3000, "no"]
)
def test_what_is_no_topic_is_refused(topics):
    with pytest.raises(BadTopics):
        parse(topics)


def test_what_happens_to_the_queue_changes_where_each_spec_would_land():
    pages = [Topic("spec", 3), Topic("spec", 4)]
    found = changed(Change(EventKind.QUEUE_UPDATED, None, {"spec": 3}), pages)
    assert found == {Region("spec_head", 3), Region("spec_head", 4)}
