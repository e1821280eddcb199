import random
from dataclasses import replace

from specs.durations import format_duration, parse_duration
from specs.importers import native
from specs.importers.document import ChunkDocument, SpecDocument
from specs.importers.writer import write
from tests.specs.conftest import TWO_CHUNKS

AWKWARD = [
    "no", "yes", "on", "null", "~", "true", "True", "09", "0x10", "1e5", "1_000", "12:30", "2024-01-01", ".5", "+1",
    "=", "<<", "- a", "a: b", "a #b", "#a", "@a", "`a", "%a", "!a", "&a", "*a", "'", '"', "\\", "a\\nb", "|", ">", "?",
    "é", "日本語", "🙂", "a\u2028b", "a\x85b", "a\tb", "\ta", "{a}", "[a]", "a,b", "x" * 300, "word " * 100 + "end",
    "a\nb", "a\n\nb\n", "\na", "a\n\n\n", "a \nb", "  a\n b", "a\n  b\n\tc", "a\rb", "a\r\nb", "#!/bin/sh\nset -e\n",
    "a\n---\nb", "a\n...\n", "\ufeffa", "a\x1bb", "\x7f", "word " * 30 + "\n" + "word " * 40, "a\u2028b\nc", "a\n ",
]  # fmt: skip


def command(text: str, **more: object) -> ChunkDocument:
    return replace(ChunkDocument(key="c1", title="A", params={"run": text}), **more)


def survives(document: SpecDocument) -> bool:
    return native.parse(write(document)) == document


def test_awkward_texts_survive():
    for text in AWKWARD:
        document = SpecDocument("T", [command(text, instructions=text, acceptance=[text])], description=text)
        assert survives(document), repr(text)


def test_random_texts_survive():
    source = random.Random(7)
    alphabet = "ab01 \n\n\t:#-'\"\\|>&*!%@`{}[],?=~.é\u2028\x85\r\x1b🙂\ufeff"
    for _ in range(1500):
        text = "".join(source.choices(alphabet, k=source.randint(1, 30)))
        document = SpecDocument("T", [command(text)], description=text)
        assert survives(document), repr(text)


def test_awkward_parameters_survive():
    for value in [1, True, None, 0.5, 1e-9, -3, [], {}, [{"a": [None, "1"]}], {"no": "on", "": 1, "1": 2, "<<": 3}]:
        assert survives(SpecDocument("T", [command("x", params={"run": "x", "value": value})])), value


def test_what_chunks_share_is_written_once():
    shared = {"timeout": 600, "review": {"command": "check"}}
    document = SpecDocument("T", [command("a", **shared), command("b", key="c2", **shared)])
    text = write(document)
    assert text.count("check") == text.count("10m") == text.count("command: check") == 1
    assert native.parse(text) == document


def test_one_and_true_are_not_shared():
    chunks = [command("a", params={"x": 1}), command("a", key="c2", params={"x": True})]
    again = native.parse(write(SpecDocument("T", chunks)))
    assert again.same_as(SpecDocument("T", chunks))
    assert not again.same_as(SpecDocument("T", [chunks[0], replace(chunks[0], key="c2")]))


def test_every_field_survives():
    chunk = ChunkDocument(
        key="k", title="A", instructions="do\nit\n", acceptance=["a"], params={"run": "x"}, review={"command": "y"},
        timeout=3725, depends_on=["z"], files=["f"], artifacts=["g/**"],
    )  # fmt: skip
    document = SpecDocument("T", [ChunkDocument("z", "Z"), chunk], "d", -7, "continue", 9, ["src/**"])
    assert survives(document)


def test_reviews_by_agents_survive_and_say_no_more_than_they_must(db):
    for review in (
        {"agent": {"profile": "", "instructions": ""}},
        {"command": "y", "agent": {"profile": "codex", "instructions": "Look for\nraces.\n"}},
    ):
        assert survives(SpecDocument("T", [command("x", review=review)]))
    assert "instructions" not in write(
        SpecDocument("T", [command("x", review={"agent": {"profile": "codex", "instructions": ""}})])
    )


def test_defaults_are_left_out():
    assert write(native.parse(TWO_CHUNKS)) == (
        "title: Greetings\ndescription: Says hello twice.\npriority: 5\ndefaults:\n  executor: command\nchunks:\n"
        "- key: first\n  title: First hello\n  params:\n    run: echo one\n"
        "- key: second\n  title: Second hello\n  params:\n    run: echo two\n  depends_on:\n  - first\n"
    )


def test_durations_survive():
    for seconds in (10, 59, 60, 61, 3600, 3661, 86400):
        assert parse_duration(format_duration(seconds)) == seconds
