"""What is not in memory before somebody needs it: of what idles, every megabyte counts."""

import subprocess
import sys
from pathlib import Path

from tests.architecture.source import ROOT

LATE = ("unidiff", "markdown_it", "prometheus_client", "ninja")
CODE = """
import sys, django
django.setup()
from django.urls import get_resolver, reverse
import dashboard.asgi
get_resolver().check()
assert reverse("worker-changes", args=[1]) == "/workers/1/changes"
print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_the_web_process_starts_without_what_few_pages_need(tmp_path: Path) -> None:
    environment = {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "SPECYARD_DATA_DIR": str(tmp_path)}
    environment["SPECYARD_SECRET_KEY"] = "only-for-tests"
    started = [sys.executable, "-c", CODE]
    done = subprocess.run(started, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    loaded = done.stdout.partition("loaded: ")[2].split()
    assert "dashboard" in loaded
    assert set(LATE).isdisjoint(loaded)
