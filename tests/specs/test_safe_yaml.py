import time

import pytest

from specs.errors import SpecInvalid
from specs.importers import safe_yaml
from specs.importers.safe_yaml import load


def refusal(text: str) -> tuple[str, str]:
    with pytest.raises(SpecInvalid) as caught:
        load(text)
    [error] = caught.value.errors
    return error


def test_reads_plain_data_as_yaml_1_2_does():
    text = 'a: [1, -2, 1.5, true, null, ~, no, on, 09, "1", 2024-01-01, 1e3]\n"b":\n  c: |\n    two\n    lines\n'
    assert load(text) == {
        "a": [1, -2, 1.5, True, None, None, "no", "on", 9, "1", "2024-01-01", 1000],
        "b": {"c": "two\nlines\n"},
    }


def test_whole_numbers_are_integers_however_they_are_written():
    assert [type(number) for number in load("[1.0, 1e3, -0.0]")] == [int, int, int]


def test_keys_are_text():
    assert load("8080: a\ntrue: b") == {"8080": "a", "true": "b"}


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("", "", "empty"),
        ("# only a comment\n", "", "empty"),
        ("a: [1", "", "not valid YAML: line 2, column 1"),
        ("a: b: c", "", "not valid YAML: line 1, column 5"),
        ("\x01", "", "not valid YAML"),
        ("a: \x00", "", "line 1: holds a NUL byte"),
        ('a: {b: "x\\0y"}', "a.b", "NUL"),
        ('"a\\0": 1', "", "NUL"),
        ('a: "\\ud800"', "", "not valid YAML"),
        ("a: \ud800", "", "surrogate"),
        ("a: 1\nb: 2\na: 3", "", 'line 3: the key "a" stands here twice'),
        ("a:\n  - b: 1\n    b: 2", "a[0]", 'the key "b" stands here twice'),
        ("a: &x 1", "a", "anchors"),
        ("a: *x", "a", "anchors"),
        ("&x a: 1", "", "keys must be plain text"),
        ("[1]: 2", "", "keys must be plain text"),
        ("<<: {a: 1}", "", "merge keys"),
        ("a: !!python/object/apply:os.system [ls]", "a", "tags"),
        ("a: !!binary aGVsbG8=", "a", "tags"),
        ("a: !mine 1", "a", "tags"),
        ("a: 1\n---\nb: 2", "", "more than one YAML document"),
        ("a: .nan", "a", "finite"),
        ("a: [0, -.inf]", "a[1]", "finite"),
        ("a: 1e999", "a", "finite"),
        ("a: 1e30", "a", "too large"),
        (f"a: {'9' * 10_000}", "a", "too large"),
    ],
)
def test_refuses_what_a_spec_never_needs(text: str, path: str, message: str):
    found_path, found_message = refusal(text)
    assert found_path == path
    assert message in found_message


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor():
    bomb = "a: &a [x, x]\n" + "\n".join(f"{c}: &{c} [*{p}, *{p}]" for p, c in zip("abcdefgh", "bcdefghi", strict=True))
    assert refusal(bomb)[0] == "a"


@pytest.mark.parametrize("text", ["[" * 500_000, "{a: " * 200_000, "- " * 400_000], ids=["lists", "maps", "dashes"])
def test_deep_nesting_is_refused_early(text: str):
    started = time.monotonic()
    assert "nested deeper than 20" in refusal(text)[1]
    assert time.monotonic() - started < 5


def test_too_many_values_are_refused():
    assert "50,000 values" in refusal("[" + "1," * 60_000 + "]")[1]


def test_messages_show_no_control_characters():
    message = refusal('"\\e[31mred": 1\n"\\e[31mred": 2')[1]
    assert message.isprintable()


def test_reads_the_same_without_the_c_library(monkeypatch: pytest.MonkeyPatch):
    text = 'a: [1, "x", no]\nb: |\n  text\n'
    with_c = load(text)
    monkeypatch.setattr(safe_yaml, "Loader", safe_yaml.yaml.SafeLoader)
    assert load(text) == with_c
    assert refusal("a: &x 1")[0] == "a"
