"""Hiding values in texts that come in pieces: nothing of a value stays, and nothing else is lost."""

import base64
import json
import random
import re
import time
from itertools import pairwise
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.runner.masking import MASK, Mask, forms

SECRET = "hunter2/and+more=ok"


def in_pieces(mask: Mask, data: bytes, cuts: list[int]) -> bytes:
    """What a stream gives for the data, cut at these places."""
    stream, places = mask.stream(), sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    told = [stream.feed(data[begin:end]) for begin, end in pairwise(places)]
    return b"".join(told) + stream.flush()


def plainly(values: list[str], data: bytes) -> bytes:
    """The same the slow way: every byte that belongs to any form of a value is covered."""
    spans = []
    for form in set().union(*map(forms, values)):
        place = data.find(form)
        while place >= 0:
            spans.append((place, place + len(form)))
            place = data.find(form, place + 1)
    told, done = b"", 0
    for begin, end in sorted(spans):
        if begin >= done:
            told += data[done:begin] + MASK.encode()
        done = max(done, end)
    return told + data[done:]


few = st.text("ab", min_size=4, max_size=9)
any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1b"), min_size=4, max_size=20)
COLOURS = ("\x1b[31m", "\x1b[K", "\x1b[0;1;38;5;9m", "\x1b]8;;http://x\x1b\\", "\x1b]0;title\x07", "\x1b(B")


@given(st.lists(st.one_of(few, any_text), min_size=1, max_size=4), st.data())
def test_values_are_hidden_and_nothing_else_is_lost_however_a_text_is_cut(
    values: list[str], data: st.DataObject
) -> None:
    some = st.one_of(st.sampled_from(values), st.text("ab\n", max_size=4), any_text)
    text = "".join(data.draw(st.lists(some, max_size=15))).encode()
    told = in_pieces(Mask(values), text, data.draw(st.lists(st.integers(0, 400), max_size=30)))
    assert told == plainly(values, text)


@given(st.one_of(few, any_text.filter(lambda text: not re.search(r"[\r\n]", text))), st.data())
def test_colours_within_a_value_hide_nothing_from_it(value: str, data: st.DataObject) -> None:
    shown = value.strip()
    if len(shown) < 4:
        return
    colours = st.lists(st.sampled_from(COLOURS), max_size=2).map("".join)
    coloured = "".join(data.draw(colours) + char for char in shown)
    cuts = data.draw(st.lists(st.integers(0, 400), max_size=30))
    told = in_pieces(Mask([value]), f"<{coloured}{data.draw(colours)}>\n".encode(), cuts).decode()
    assert re.sub("|".join(map(re.escape, COLOURS)), "", told) == f"<{MASK}>\n"


def test_what_a_search_tool_colours_is_hidden() -> None:
    told = Mask([SECRET]).text("key: hunt\x1b[01;31m\x1b[Ker2\x1b[m\x1b[K/and+more=ok, \x1b[1mnot\x1b[0m this\n")
    assert told == f"key: {MASK}, \x1b[1mnot\x1b[0m this\n"


@pytest.mark.parametrize(
    "printed",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"a:{SECRET}:z".encode()).decode(),
        base64.urlsafe_b64encode(f"ab:{SECRET}".encode()).decode(),
    ],
)
def test_a_value_is_hidden_in_the_forms_that_programs_print(printed: str) -> None:
    told = Mask([SECRET]).text(f"before {printed} after")
    assert MASK in told
    assert told.startswith("before ")
    assert told.endswith(" after")
    shown = told.replace(MASK, "").removeprefix("before ").removesuffix(" after")
    assert len(shown) <= 8  # what stands around it in base64


def test_what_json_and_shells_put_before_quotes_hides_nothing_from_it() -> None:
    value = 'say "it\'s" \\ ünder'
    mask = Mask([value])
    for printed in (json.dumps(value), json.dumps(value, ensure_ascii=False), value.replace("'", "'\\''")):
        assert mask.text(printed).strip('"') == MASK


def test_markup_and_the_quotes_of_shells_hide_nothing_from_it() -> None:
    value = "pass$word`with\\<a>&'b'\"c\"="
    mask = Mask([value])
    assert mask.text(repr(value)) == f"'{MASK}'"
    dash = value.replace("'", """'"'"'""")
    assert mask.text(f"export KEY='{dash}'") == f"export KEY='{MASK}'"
    in_shell = re.sub(r'(["$`\\])', r"\\\1", value)
    assert mask.text(f'declare -x KEY="{in_shell}"') == f'declare -x KEY="{MASK}"'
    for quotes in ({}, {'"': "&quot;"}, {"'": "&apos;", '"': "&quot;"}, {"'": "&#x27;", '"': "&quot;"}):
        assert mask.text(f"<failure>{escape(value, quotes)}</failure>") == f"<failure>{MASK}</failure>"


@pytest.mark.parametrize("width", [64, 76])
@pytest.mark.parametrize("end", ["", "\n"])
def test_base64_in_lines_is_hidden(width: int, end: str) -> None:
    value = "-----BEGIN KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQ\n" * 9
    coded = base64.b64encode((value.rstrip() + end).encode()).decode()
    lines = [coded[at : at + width] for at in range(0, len(coded), width)]
    told = Mask([value.rstrip()]).text("\n".join(lines)).split("\n")
    assert told[:-1] == [MASK] * (len(lines) - 1)
    assert len(told[-1]) <= len(MASK) + 4  # what depends on what comes behind


def test_very_many_values_of_many_lines_cost_little_too() -> None:
    """Also where nearly every line looks like one of them: a fifth of a second, where it was three."""
    some = random.Random(1)
    keys = ["\n".join(base64.b64encode(some.randbytes(48)).decode() for _ in range(27)) for _ in range(200)]
    begin = time.process_time()
    stream, block = Mask(f"{key}\nab==" for key in keys).stream(), base64.b64encode(some.randbytes(48_000))
    for _ in range(20):
        stream.feed(block)
    assert time.process_time() - begin < 1


def test_names_of_our_own_stay_what_they_are() -> None:
    mask = Mask(["question"])
    assert mask.fields({"question": "a question?"}) == {"question": f"a {MASK}?"}


def test_of_several_lines_each_is_hidden_by_itself() -> None:
    mask = Mask(["-----BEGIN KEY-----\r\nMIIEvQIBADANBg\nabc\n  kqhkiG9w0BAQ\n"])
    assert mask.text("x kqhkiG9w0BAQ y\n") == f"x {MASK} y\n"
    assert mask.text("-----BEGIN KEY-----\nMIIEvQIBADANBg\n") == f"{MASK}\n{MASK}\n"
    assert mask.text("abc") == "abc"  # a line that is too short to be hidden alone


def test_values_that_overlap_are_covered_as_one() -> None:
    assert Mask(["abcdef", "defghi", "abcd"]).text("<abcdefghi> <abcd>") == f"<{MASK}> <{MASK}>"


def test_what_can_be_no_beginning_is_told_at_once() -> None:
    stream = Mask(["secret-value"]).stream()
    assert stream.feed(b"line\nend of sec") == b"line\nend of "
    assert stream.feed(b"ond\nsecret-") == b"second\n"
    assert stream.feed(b"\n") == b"secret-\n"


def test_more_can_be_hidden_later_and_a_short_value_never_is() -> None:
    mask = Mask(["abc"])
    assert not mask
    stream = mask.stream()
    assert stream.feed(b"abc secret-value ") == b"abc secret-value "
    mask.hide(["secret-value"])
    assert stream.feed(b"secret-value\n") == MASK.encode() + b"\n"


def test_json_values_are_hidden_throughout() -> None:
    found = Mask(["secret-value"]).value({"a secret-value": ["secret-value", 1, None, {"x": "y"}]})
    assert found == {f"a {MASK}": [MASK, 1, None, {"x": "y"}]}


def test_twenty_values_cost_little() -> None:
    """Thousands of lines a second must stay possible: here at least 20 MB/s, where it usually is 200."""
    mask = Mask([base64.b64encode(bytes([n] * 24)).decode() for n in range(20)])
    block = b"2026-11-20 14:00:01 INFO module: processed a request in 12 ms with status 200\n" * 3000
    stream = mask.stream()
    fastest = 60.0
    for _ in range(5):
        begin = time.process_time()
        assert stream.feed(block) == block
        fastest = min(fastest, time.process_time() - begin)
    assert len(block) / fastest > 20e6


def test_a_text_that_goes_on_being_a_beginning_is_not_kept_in_memory() -> None:
    stream = Mask(["aaaaaaaa"]).stream()
    told = b"".join(stream.feed(b"a" * 1000) for _ in range(100))
    assert told + stream.flush() == MASK.encode()
    assert len(stream.held) < 8
