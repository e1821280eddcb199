"""What a person does on the pages before an agent can work."""

import subprocess
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.up import Up
from tests.support.openai_server import Model
from tests.support.opencode import Opencode
from tests.up.support import SPECYARD


def imports(up: Up, directory: Path) -> None:
    """`specyard import`."""
    subprocess.run([*SPECYARD, "import", str(directory)], env=up.environment, capture_output=True, check=True)


def set_up_the_profile(page: Page, opencode: Opencode, model: Model, **config: Any) -> None:
    """Under Profiles: the scripted model, and opencode's own configuration."""
    page.get_by_role("link", name="Profiles").click()
    page.get_by_role("link", name="Edit opencode").click()
    page.get_by_label("Command", exact=True).fill(opencode.binary)
    page.get_by_label("Model").fill("scripted/one")
    variables = {"HOME": str(opencode.directory), **opencode.settings(model, **config)}
    page.get_by_label("Environment").fill("\n".join(f"{name}={value}" for name, value in variables.items()))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Agent profiles")).to_be_visible()


def run_all(page: Page, title: str) -> None:
    """Open a spec and run it."""
    page.get_by_role("link", name="Specs").click()
    page.get_by_role("link", name=title).click()
    page.get_by_role("button", name="Run All").click()
    page.wait_for_url("**/workers/*")
