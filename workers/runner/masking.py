"""The values of secrets never reach a log, a transcript or the journal: whatever stores text hides them first.

What is looked for are the bytes of a value in the forms that programs print (`forms`). None of these holds a line end,
so that output has to be held back only in a line that is not finished. The search steps over the text in strides of
about the length of the shortest form (Wu and Manber, 1994), because a runner may hear thousands of lines a second.
"""

import base64
import html
import json
import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

SHORTEST = 4  # characters: a shorter value, or line of one, would hide innocent text
SHORTEST_CODED = 6  # bytes of a form that is not the value itself
BASE64_WIDTHS = (64, 76)  # at which openssl and base64(1) break lines
FURTHEST = 32  # bytes that the search looks ahead at most: more would cost more to prepare than it saves
MASK = "•••"
_MASK = MASK.encode()
_LINE_END = re.compile(r"[\r\n]+")
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\r\n]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])")
_BEGUN_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b\r\n]{0,200}\x1b?|[ -/]*)\Z")


def forms(value: str) -> set[bytes]:
    """What a value may look like in the output of a program, none with a line end in it.

    Of several lines each by itself: as it is, in JSON, in XML, in the quotes of a shell, in an address. The whole of it
    in base64, wherever in a longer encoded text it stands, and alone in lines of the usual widths.
    """
    found: set[bytes] = set()
    for line in map(str.strip, _LINE_END.split(value)):
        if len(line) < SHORTEST:
            continue
        found.add(_bytes(line))
        coded = {*_in_quotes(line), *_in_markup(line), *_in_addresses(line)}
        found |= {raw for raw in map(_bytes, coded) if len(raw) >= SHORTEST_CODED}
    if found:
        found |= _in_base64(_bytes(value))
    return found


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _in_quotes(line: str) -> Iterable[str]:
    """Of JSON, with and without escapes for other alphabets; single ones of bash, dash and Python; double ones."""
    yield from (json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1])
    yield from (line.replace("'", "'\\''"), line.replace("'", "'\"'\"'"), re.sub(r"(['\\])", r"\\\1", line))
    yield re.sub(r'(["$`\\])', r"\\\1", line)


def _in_markup(line: str) -> Iterable[str]:
    whole = html.escape(line)
    yield from (html.escape(line, quote=False), whole, whole.replace("&#x27;", "&apos;"), whole.replace("&#x27;", "'"))


def _in_addresses(line: str) -> Iterable[str]:
    for coded in (quote(_bytes(line), safe=""), quote(_bytes(line)), quote_plus(_bytes(line))):
        yield coded
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), coded)


def _in_base64(raw: bytes) -> set[bytes]:
    """Those characters that depend on nothing but `raw`, for each of the three places where it may begin."""
    found = set()
    for before in range(3):
        coded = base64.b64encode(bytes(before) + raw)
        core = coded[-(-8 * before // 6) : 8 * (before + len(raw)) // 6]
        found |= {core, core.replace(b"+", b"-").replace(b"/", b"_")}
        for width in BASE64_WIDTHS if not before and len(core) > min(BASE64_WIDTHS) else ():
            found |= {core[at : at + width] for at in range(0, len(core), width)}
    return {form for form in found if len(form) >= SHORTEST_CODED}


class Mask:
    """Hides values; false while there is nothing to hide. More can be added at any time."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._forms: set[bytes] = set()
        self.hide(values)

    def __bool__(self) -> bool:
        return bool(self._forms)

    def hide(self, values: Iterable[str]) -> None:
        """From now on these too."""
        new = {value for value in values if value not in self._values}
        if not new:
            return
        self._values |= new
        self._forms |= set().union(*map(forms, new))
        if self._forms:
            self._prepare()

    def _prepare(self) -> None:
        self._in_order = sorted(self._forms)
        self._longest = max(map(len, self._in_order))
        # How far the search looks ahead: the beginning of a form that it looks for has that length.
        self._reach = min(FURTHEST, *map(len, self._in_order))
        self._gram = 4 if self._reach >= 8 else 3
        self._stride = self._reach - self._gram + 1
        self._by_beginning: dict[bytes, list[bytes]] = {}  # forms, the longest first
        for form in sorted(self._in_order, key=len, reverse=True):
            self._by_beginning.setdefault(form[: self._reach], []).append(form)
        self._strides: dict[bytes, int] = {}  # how far the search may go on from a few bytes; 0: here may be a form
        for beginning in self._by_beginning:
            for end in range(self._gram, self._reach + 1):
                gram = beginning[end - self._gram : end]
                self._strides[gram] = min(self._strides.get(gram, self._stride), self._reach - end)

    # Whole texts

    def data(self, data: bytes) -> bytes:
        """Bytes in which each value, and whatever overlaps with one, has become MASK."""
        stream = self.stream()
        return stream.feed(data) + stream.flush()

    def text(self, text: str) -> str:
        """The same for text."""
        stream = self.stream()
        return stream.feed_text(text) + stream.flush_text()

    def value(self, value: Any) -> Any:
        """The same for every text in a JSON value, names included."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.value(name): self.value(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The same for what stands under names of our own."""
        return {name: self.value(item) for name, item in fields.items()}

    # Pieces of a text

    def stream(self) -> "Stream":
        """Hides values in a text that comes in pieces."""
        return Stream(self)

    def found(self, data: bytes) -> list[tuple[int, int]]:
        """Where values stand, from and to, by their beginnings; they may overlap. Colours in between hide nothing."""
        spans = self._found(data)
        if b"\x1b" in data and (inside := self._found(_ESCAPES.sub(b"", data))):
            stood = _stood(data, {place for begin, end in inside for place in (begin, end - 1)})
            spans = sorted({*spans, *((stood[begin], stood[end - 1] + 1) for begin, end in inside)})
        return spans

    def _found(self, data: bytes) -> list[tuple[int, int]]:
        spans, gram, reach, stride = [], self._gram, self._reach, self._stride
        strides, size, end = self._strides.get, len(data), reach
        while end <= size:
            step = strides(data[end - gram : end], stride)
            if step:
                end += step
                continue
            place = end - reach
            for form in self._by_beginning.get(data[place:end], ()):
                if data.startswith(form, place):
                    spans.append((place, place + len(form)))
                    break
            end += 1
        return spans

    def begun(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a value whose rest is still to come."""
        line = data[max(data.rfind(b"\n"), data.rfind(b"\r")) + 1 :]
        held = self._begun(line)
        if b"\x1b" in line:
            plain = _BEGUN_ESCAPE.sub(b"", _ESCAPES.sub(b"", line))
            if rest := self._begun(plain):
                place = len(plain) - rest
                held = max(held, len(line) - _stood(line, [place])[place])
        return held

    def _begun(self, line: bytes) -> int:
        size, reach, known = len(line), self._reach, self._by_beginning
        for place in range(max(0, size - self._longest + 1), size):
            if place + reach <= size and line[place : place + reach] not in known:
                continue
            rest = line[place:]
            after = bisect_right(self._in_order, rest)  # there stands what begins with it, if anything does
            if after < len(self._in_order) and self._in_order[after].startswith(rest):
                return len(rest)
        return 0


def _stood(data: bytes, places: Iterable[int]) -> dict[int, int]:
    """Where in the data those bytes stand that have these places without its escape sequences."""
    escapes, shift, found = _ESCAPES.finditer(data), 0, {}
    escape = next(escapes, None)
    for place in sorted(places):
        while escape is not None and escape.start() <= place + shift:
            shift += len(escape[0])
            escape = next(escapes, None)
        found[place] = place + shift
    return found


class Stream:
    """A text that comes in pieces, cut anywhere. What `feed` and `flush` give is the text with its values hidden."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self.held = b""
        self._covered = 0  # bytes at the beginning of what is held for which a MASK has been given out already

    def feed(self, data: bytes) -> bytes:
        """What can be told by now: all but what may be the beginning of a value. Whole characters stay whole."""
        if not self._mask:
            return data
        data = self.held + data
        return self._give(data, len(data) - self._mask.begun(data))

    def flush(self) -> bytes:
        """The rest: nothing more comes."""
        return self._give(self.held, len(self.held)) if self.held else b""

    def feed_text(self, text: str) -> str:
        """The same for text."""
        return self.feed(_bytes(text)).decode(errors="surrogatepass") if self._mask else text

    def flush_text(self) -> str:
        """The rest of a text."""
        return self.flush().decode(errors="surrogatepass")

    def _give(self, data: bytes, upto: int) -> bytes:
        """What is told of `data` up to there; the rest is held."""
        if not upto:  # nothing can be told yet
            self.held = data
            return b""
        parts, place, covered = [], 0, self._covered
        self._covered = 0
        for begin, end, is_new in self._spans(data, covered):
            if begin >= upto:
                break
            parts.append(data[place:begin])
            if is_new:
                parts.append(_MASK)
            place = min(end, upto)
            self._covered = max(0, end - upto)
        parts.append(data[place:upto])
        self.held = data[upto:]
        return b"".join(parts)

    def _spans(self, data: bytes, covered: int) -> list[tuple[int, int, bool]]:
        """What is to be hidden: those that overlap as one; whether it still needs a MASK."""
        joined = [(0, covered, False)] if covered else []
        for begin, end in self._mask.found(data):
            if joined and begin < joined[-1][1]:
                first, last, is_new = joined[-1]
                joined[-1] = (first, max(last, end), is_new)
            else:
                joined.append((begin, end, True))
        return joined
