from textwrap import dedent

import pytest

from specs import executors, limits
from specs.errors import SpecInvalid
from specs.importers import native
from tests.specs.conftest import TWO_CHUNKS


def spec(body: str = "", chunk: str = "title: A") -> str:
    """A valid spec with more keys at the top, and one chunk with the given keys."""
    return f"title: T\n{dedent(body)}\nchunks:\n  - " + dedent(chunk).strip().replace("\n", "\n    ") + "\n"


def errors(text: str) -> dict[str, str]:
    with pytest.raises(SpecInvalid) as caught:
        native.parse(text)
    return dict(caught.value.errors)


def test_a_title_and_one_chunk_are_enough():
    document = native.parse(spec())
    [chunk] = document.chunks
    assert (document.title, document.priority, document.on_failure, document.max_attempts) == ("T", 0, "stop", 3)
    assert (chunk.key, chunk.title, chunk.executor, chunk.timeout) == ("c1", "A", "command", 1800)
    assert (chunk.params, chunk.review, chunk.depends_on) == ({}, {}, [])


def test_the_projects_executor_is_used_where_none_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(executors, "_source", lambda: {"robot": lambda params: []})
    assert native.parse(spec(), default_executor="robot").chunks[0].executor == "robot"


def test_defaults_reach_chunks_that_give_nothing_of_their_own():
    document = native.parse("""
title: T
defaults: {params: {run: a}, timeout: 1h30m, review: {command: check}}
chunks:
  - title: takes all
  - {title: gives all, params: {run: b}, timeout: 45, review: {}}
""")
    taker, giver = document.chunks
    assert (taker.params, taker.timeout, taker.review) == ({"run": "a"}, 5400, {"command": "check"})
    assert (giver.params, giver.timeout, giver.review) == ({"run": "b"}, 45, {})


def test_default_params_are_not_given_to_another_executor(monkeypatch: pytest.MonkeyPatch):
    accept = {"command": lambda params: [], "robot": lambda params: []}
    monkeypatch.setattr(executors, "_source", lambda: accept)
    text = (
        "title: T\ndefaults: {executor: robot, params: {arm: 1}}\nchunks: [{title: A}, {title: B, executor: command}]"
    )
    assert [chunk.params for chunk in native.parse(text).chunks] == [{"arm": 1}, {}]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("10s", 10), ("30m", 1800), ("1h30m", 5400), ("24h", 86400), ("1h0m5s", 3605), ("600", 600), ('"90s"', 90)],
)
def test_durations(written: str, seconds: int):
    assert native.parse(spec(chunk=f"title: A\ntimeout: {written}")).chunks[0].timeout == seconds


def test_a_chunk_that_depends_on_a_later_one_is_moved_behind_it():
    text = "title: T\nchunks: [{title: A, depends_on: [c3]}, {title: B}, {title: C}, {title: D, depends_on: [c1]}]"
    assert [chunk.key for chunk in native.parse(text).chunks] == ["c3", "c1", "c2", "c4"]


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("just text", "", "must be a mapping"),
        ("- 1", "", "must be a mapping"),
        ("title: T", "chunks", "is required"),
        ("title: T\nchunks: []", "chunks", "at least one"),
        ("title: T\nchunks: {}", "chunks", "must be a list, not a mapping"),
        ("title: T\nchunks: [a]", "chunks[0]", "must be a mapping, not the text"),
        ("title: T\nchunks: [null]", "chunks[0]", "must be a mapping, not empty"),
        ("chunks: [{title: A}]", "title", "is required"),
        ("title: 3\nchunks: [{title: A}]", "title", "must be text, not the number 3; put it in quotes"),
        ('title: " "\nchunks: [{title: A}]', "title", "must not be empty"),
        ('title: "a\\nb"\nchunks: [{title: A}]', "title", "one line"),
        (f"title: {'x' * 201}\nchunks: [{{title: A}}]", "title", "at most 200 characters"),
        (spec("titel: x"), "titel", 'did you mean "title"?'),
        (spec("zzz: x"), "zzz", "unknown key. Known: title, description"),
        (spec("priority: 101"), "priority", "at most 100"),
        (spec("priority: -101"), "priority", "at least -100"),
        (spec("priority: true"), "priority", "must be a whole number, not the boolean true"),
        (spec("priority: 1.5"), "priority", "must be a whole number"),
        (spec('priority: "1"'), "priority", "must be a whole number, not the text"),
        (spec("priority: 99999999999999999999999"), "priority", "too large"),
        (spec("on_failure: explode"), "on_failure", "'stop' or 'continue'"),
        (spec("max_attempts: 0"), "max_attempts", "at least 1"),
        (spec("max_attempts: 21"), "max_attempts", "at most 20"),
        (spec("touches: src/**"), "touches", "must be a list"),
        (spec("touches: [/etc/passwd]"), "touches[0]", "inside the project"),
        (spec("description: {a: 1}"), "description", "must be text, not a mapping"),
        (spec("defaults: {timeout: 1}"), "defaults.timeout", "between 10s and 24h"),
        (spec("defaults: {titel: x}"), "defaults.titel", "unknown key"),
        (
            spec(chunk="title: A\nexecutor: agnt"),
            "chunks[0].executor",
            '"agnt" is not an executor of this installation',
        ),
        (spec(chunk="title: A\nexecutor: agent"), "chunks[0].executor", "known: command"),
        (spec(chunk="title: A\nexecutor: browser"), "chunks[0].executor", "known: command"),
        (spec(chunk="title: A\nparams: {run: 1}"), "chunks[0].params.run", "must be text"),
        (spec(chunk="title: A\nparams: [run]"), "chunks[0].params", "must be a mapping"),
        (spec(chunk='title: A\nreview: {command: " "}'), "chunks[0].review.command", "must not be empty"),
        (spec(chunk="title: A\nreview: pytest"), "chunks[0].review", "must be a mapping, not the text"),
        (spec(chunk="title: A\ntimeout: 9s"), "chunks[0].timeout", "between 10s and 24h"),
        (spec(chunk="title: A\ntimeout: 25h"), "chunks[0].timeout", "between 10s and 24h"),
        (spec(chunk="title: A\ntimeout: -5"), "chunks[0].timeout", "between 10s and 24h"),
        (spec(chunk="title: A\ntimeout: true"), "chunks[0].timeout", "not the boolean true"),
        (spec(chunk="title: A\ntimeout: soon"), "chunks[0].timeout", "duration"),
        (spec(chunk="title: A\ntimeout: .inf"), "chunks[0].timeout", "finite"),
        (spec(chunk="title: A\nkey: ../../etc"), "chunks[0].key", "must consist of letters"),
        (spec(chunk='title: A\nkey: "a\\n"'), "chunks[0].key", "must consist of letters"),
        (spec(chunk="title: A\nfiles: [../secret]"), "chunks[0].files[0]", "inside the project"),
        (spec(chunk="title: A\nartifacts: [~/x]"), "chunks[0].artifacts[0]", "inside the project"),
        (spec(chunk='title: A\nartifacts: ["a\\\\..\\\\b"]'), "chunks[0].artifacts[0]", "inside the project"),
        (spec(chunk='title: A\nparams: {run: "a\\0b"}'), "chunks[0].params.run", "NUL"),
        (spec(chunk="title: A\nacceptance: [1]"), "chunks[0].acceptance[0]", "must be text"),
        (spec(chunk="title: A\ndepends_on: [b]"), "chunks[0].depends_on[0]", 'no chunk has the key "b"'),
        (spec(chunk="title: A\ndepends_on: [c1]"), "chunks[0].depends_on", "cycle: c1 → c1"),
        ("title: T\nchunks: [{title: A, key: c2}, {title: B}]", "chunks[1].key", "is the key of chunks[0] too"),
        (TWO_CHUNKS.replace("[first]", "[frist]"), "chunks[1].depends_on[0]", 'did you mean "first"?'),
    ],
)
def test_each_mistake_is_named_with_its_field(text: str, path: str, message: str):
    found = errors(text)
    assert path in found
    assert message in found[path]


def test_a_cycle_is_named_in_the_order_of_dependence():
    text = """
title: T
chunks:
  - {key: x, title: X}
  - {key: a, title: A, depends_on: [b]}
  - {key: b, title: B, depends_on: [x, c]}
  - {key: c, title: C, depends_on: [a]}
"""
    [(path, message)] = errors(text).items()
    cycle = message.removeprefix("the dependencies form a cycle: ").split(" → ")
    assert cycle[0] == cycle[-1]
    assert "".join(cycle[:-1]) in ("abc", "bca", "cab")
    assert path == {"a": "chunks[1]", "b": "chunks[2]", "c": "chunks[3]"}[cycle[0]] + ".depends_on"


def test_all_mistakes_are_told_at_once():
    assert set(errors("title: 1\npriority: x\nchunks: [{titel: A}]")) == {
        "title",
        "priority",
        "chunks[0].title",
        "chunks[0].titel",
    }


def test_the_number_of_messages_is_bounded():
    text = "title: T\nchunks:\n" + "  - {title: 1}\n" * 300
    with pytest.raises(SpecInvalid) as caught:
        native.parse(text)
    assert len(caught.value.errors) == 51
    assert caught.value.errors[-1] == ("", "… and 250 more")
    text = "title: T\nchunks:\n" + "  - {title: A, depends_on: [x, y, z]}\n" * 400
    with pytest.raises(SpecInvalid) as caught:
        native.parse(text)
    assert len(caught.value.errors) == 50


def test_too_many_chunks():
    chunks = "  - {title: A}\n" * (limits.CHUNKS + 1)
    assert errors("title: T\nchunks:\n" + chunks) == {"chunks": "has 501 chunks; at most 500 are allowed"}
    assert len(native.parse("title: T\nchunks:\n" + "  - {title: A}\n" * limits.CHUNKS).chunks) == limits.CHUNKS


def test_a_text_over_a_mebibyte():
    assert errors("# " + "x" * limits.FILE_SIZE) == {"": "larger than 1,024 KiB"}
    assert errors("# " + "é" * (limits.FILE_SIZE // 2)) == {"": "larger than 1,024 KiB"}


def test_defaults_must_not_blow_up_when_they_are_repeated():
    text = f"title: T\ndefaults: {{params: {{run: {'x' * 100_000}}}}}\nchunks:\n" + "  - {title: A}\n" * 400
    assert "too large to be repeated in 400 chunks" in errors(text)["defaults"]


def test_a_dense_web_of_dependencies_is_checked_quickly():
    chunks = [
        f"  - {{title: A, depends_on: [{', '.join(f'c{j + 1}' for j in range(max(0, i - 90), i))}]}}"
        for i in range(450)
    ]
    assert len(native.parse("title: T\nchunks:\n" + "\n".join(chunks)).chunks) == 450


def test_a_review_is_by_command_by_agent_or_by_both():
    text = """
title: T
defaults: {review: {agent: {}}}
chunks:
  - title: as all
  - {title: by command, review: {command: check}}
  - {title: by both, review: {command: check, agent: {instructions: "Look for races."}}}
"""
    assert [chunk.review for chunk in native.parse(text).chunks] == [
        {"agent": {"profile": "", "instructions": ""}},
        {"command": "check"},
        {"command": "check", "agent": {"profile": "", "instructions": "Look for races."}},
    ]


@pytest.mark.parametrize(
    ("review", "path", "message"),
    [
        ("{agent: opencode}", "chunks[0].review.agent", "must be a mapping, not the text"),
        ("{agent: {profile: 7}}", "chunks[0].review.agent.profile", "must be text, not the number 7"),
        ("{agent: {profile: ../x}}", "chunks[0].review.agent.profile", "must consist of"),
        ("{agent: {profil: x}}", "chunks[0].review.agent.profil", 'did you mean "profile"?'),
        ("{agent: {instructions: [a]}}", "chunks[0].review.agent.instructions", "must be text, not a list"),
        ("{agnt: {}}", "chunks[0].review.agnt", 'did you mean "agent"? Known: command, agent'),
    ],
)
def test_a_bad_review_is_refused_by_field(review: str, path: str, message: str):
    found = errors(spec(chunk=f"title: A\nreview: {review}"))
    assert list(found) == [path]
    assert message in found[path]


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    """An installation with the executor `agent`, which takes any parameters, and the shipped profiles."""
    monkeypatch.setattr(executors, "_source", lambda: dict.fromkeys(("command", "agent"), lambda params: []))


def test_profiles_that_exist_may_be_named(agent):
    chunk = "title: A\nexecutor: agent\nparams: {profile: claude}\nreview: {agent: {profile: codex}}"
    [read] = native.parse(spec(chunk=chunk)).chunks
    assert (read.params["profile"], read.review["agent"]["profile"]) == ("claude", "codex")


@pytest.mark.parametrize(
    ("chunk", "path"),
    [
        ("title: A\nexecutor: agent\nparams: {profile: opncode}", "chunks[0].params.profile"),
        ("title: A\nreview: {agent: {profile: opncode}}", "chunks[0].review.agent.profile"),
    ],
)
def test_an_unknown_profile_is_refused_with_the_known_names(agent, chunk: str, path: str):
    assert errors(spec(chunk=chunk)) == {
        path: '"opncode" is not an agent profile, did you mean "opencode"? '
        "known: claude, codex, custom, gemini, opencode"
    }


def test_a_profile_of_another_executor_is_its_own_affair(agent):
    assert native.parse(spec(chunk="title: A\nparams: {profile: anything}")).chunks[0].params["profile"] == "anything"
