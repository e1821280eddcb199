"""The example file and the page of documentation say what the model says."""

import re
import tomllib
from pathlib import Path

import pytest

from dashboard import config
from dashboard.config import document, example
from dashboard.config.keys import Key, all_keys, sections, words_for
from dashboard.config.model import Config
from tests.config.conftest import Write

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def test_the_example_as_it_is_changes_nothing(project: Write) -> None:
    project(example.text())
    assert config.load() == Config()
    assert config.loaded().sources == {}


def test_the_example_with_everything_uncommented_says_what_the_defaults_say(project: Write) -> None:
    project(re.sub(r"^#(?! )", "", example.text(), flags=re.MULTILINE))
    assert config.load() == Config()
    said = {key.name for key in config.loaded().sources}
    assert {"server.port", "queue.max_workers", "execution.mode", "execution.memory_limit"} <= said


def test_the_example_names_every_setting_with_its_words() -> None:
    text = example.text()
    for section in sections():
        if any(key.section == section for key in all_keys()):
            assert f"\n[{section}]\n" in text
    lines = " ".join(line.removeprefix("# ") for line in text.splitlines())
    for key in all_keys():
        assert f"{key.field.description} Variable: {key.variable}." in lines, key.name


@pytest.mark.parametrize("key", all_keys(), ids=lambda key: key.name)
def test_every_setting_says_what_it_is_for_and_has_an_example(key: Key) -> None:
    assert (key.field.description or "").endswith(".")
    assert key.example is not None
    assert words_for(key.section).endswith(".")


def test_the_page_has_the_tables_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == document.renewed(page), "run: python -P -m dashboard.config.document"
    for key in all_keys():
        if key.location[0] != "executors":
            assert f"`{key.variable}`" in page, key.name


def test_the_examples_of_the_page_are_valid(project: Write) -> None:
    for text in re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL):
        assert tomllib.loads(text)
        project(text)
        config.loaded.cache_clear()
        assert len(config.loaded().sources) == 4
