"""The two ways to get the demo: the first page's button, and the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from specs.models import Spec

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(settings, tmp_path):
    """A data directory of the test's own."""
    settings.SPECYARD = settings.SPECYARD.model_copy(update={"data_dir": tmp_path})
    return tmp_path / "demo"


def sign_in(client, *, staff: bool) -> None:
    client.force_login(User.objects.create_user("mira", is_staff=staff))


@pytest.mark.django_db
def test_the_empty_page_offers_it_and_the_button_makes_it(client, folder):
    sign_in(client, staff=True)
    assert f'hx-post="{reverse("demo")}"' in client.get(reverse("workers")).content.decode()

    reply = client.post(reverse("demo"), headers={"HX-Request": "true"})

    assert reply.headers["HX-Redirect"] == reverse("specs")
    assert Spec.objects.count() == 6
    page = client.get(reverse("specs")).content.decode()
    assert "The demo is ready: 6 specs" in page
    assert all(reverse("spec-run-in-background", args=[spec.pk]) in page for spec in Spec.objects.all())
    assert f'hx-post="{reverse("demo")}"' not in client.get(reverse("workers")).content.decode()


@pytest.mark.django_db
def test_pressing_it_twice_is_no_mistake(client, folder):
    sign_in(client, staff=True)
    client.post(reverse("demo"))
    assert client.post(reverse("demo")).status_code == 302
    assert Spec.objects.count() == 6


@pytest.mark.django_db
def test_only_operators_and_only_by_post(client, folder):
    assert client.post(reverse("demo")).status_code == 302, "to the sign-in page"
    sign_in(client, staff=False)
    assert client.post(reverse("demo")).status_code == 403
    assert client.get(reverse("demo")).status_code in (403, 405)
    assert not Spec.objects.exists()
    assert not folder.exists()


@pytest.mark.django_db
def test_a_refusal_is_told_on_the_page(client, folder):
    folder.write_text("a file where the folder should be")
    sign_in(client, staff=True)
    reply = client.post(reverse("demo"), headers={"HX-Request": "true"})
    assert reply.status_code == 409
    assert "could not be set up" in reply.content.decode()


def specyard(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "dashboard.cli", *words],
        env=environment | {"SPECYARD_DATA_DIR": str(data), "PYTHONPATH": str(ROOT)},
        cwd=data,
        capture_output=True,
        text=True,
    )


def test_the_command_needs_no_server_and_says_what_to_press_next(tmp_path):
    first = specyard(tmp_path, "demo")
    assert first.returncode == 0, first.stderr
    for word in ("acme-api", "Rate limits per API key", "specyard up", "Run in Background"):
        assert word in first.stdout
    assert (tmp_path / "demo" / "docs-site" / ".git").is_dir()

    second = specyard(tmp_path, "demo")
    assert second.returncode == 0
    assert "nothing has changed" in second.stdout


def test_the_command_says_why_it_cannot(tmp_path):
    (tmp_path / "demo").write_text("a file where the folder should be")
    done = specyard(tmp_path, "demo")
    assert done.returncode == 1
    assert "could not be set up" in done.stderr
    assert "Traceback" not in done.stderr
