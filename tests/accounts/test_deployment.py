"""What browsers are told where the pages are reached by https."""

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

CODE = """
import django
django.setup()
from django.test import Client
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
User.objects.create_user("mira", password="correct horse battery")
plain, secure = Client(), Client(headers={"X-Forwarded-Proto": "https"})
print("plain", plain.get("/workers")["Location"])
print("health", plain.get("/healthz").status_code)
reply = secure.post("/sign-in", {"username": "mira", "password": "correct horse battery"})
print("hsts", reply.get("Strict-Transport-Security"))
print("session", bool(reply.cookies["specyard_session"]["secure"]), bool(reply.cookies["specyard_session"]["httponly"]))
print("csrf", bool(reply.cookies["specyard_csrf"]["secure"]))
"""


def environment(data: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ours = {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "PYTHONPATH": str(settings.ROOT)}
    return kept | ours | {"SPECYARD_DATA_DIR": str(data), **more}


def run(data: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    command, where = [sys.executable, *words], environment(data, **more)
    return subprocess.run(command, env=where, cwd=data, capture_output=True, text=True, timeout=60, check=False)


def test_django_finds_nothing_to_warn_of_behind_https(tmp_path: Path) -> None:
    manage = str(Path(settings.ROOT, "manage.py"))
    done = run(tmp_path, manage, "check", "--deploy", "--fail-level", "WARNING", SPECYARD_HTTPS="true")
    assert done.returncode == 0, done.stderr
    without = run(tmp_path, manage, "check", "--deploy", "--fail-level", "WARNING")
    assert "SESSION_COOKIE_SECURE" in without.stderr


def test_cookies_and_addresses_behind_https(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", CODE, SPECYARD_HTTPS="true", SPECYARD_ALLOWED_HOSTS="testserver")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "plain https://testserver/workers",
        "health 200",
        "hsts max-age=31536000",
        "session True True",
        "csrf True",
    ]
