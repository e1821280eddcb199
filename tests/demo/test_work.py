"""The specs of the demo do what they say. Their chunks run as a runner would run them, but without the pauses that are
there for people."""

import subprocess
from pathlib import Path

import pytest

from dashboard import demo
from specs.models import Chunk, Spec
from workers.runner.environment import base

pytestmark = pytest.mark.django_db
ENDINGS = {
    "rate-limits": {"before": 1, "limiter": 2, "day": 1, "bench": 1, "commit": 1},
    "last-page": {"history": 1, "bisect": 1, "fix": 1, "releases": 1},
    "raise-vat": {"check": 1, "replace": 1, "render": 1, "compare": 1, "commit": 1},
    "checkout": {"split": 1, "address": 1, "shipping": "failed"},
    "publish": {"links": 1, "pages": 1, "index": 1, "sizes": 1},
    "corpus": {"write": 1, "count": 1, "readability": 1, "twins": 1},
}


class Workspace:
    """A copy of the spec's repository in which its commands run, with sleeping switched off."""

    def __init__(self, spec: Spec, place: Path) -> None:
        self.directory = place / "workspace"
        subprocess.run(["cp", "-a", spec.project.directory, self.directory], check=True)
        hasty = place / "hasty"
        hasty.mkdir()
        (hasty / "sitecustomize.py").write_text("import time\ntime.sleep = lambda seconds: None\n")
        (hasty / "sleep").symlink_to("/bin/true")
        self.findings = place / "findings"
        self.environment = base() | {
            "PATH": f"{hasty}:{base()['PATH']}",
            "PYTHONPATH": str(hasty),
            "TMPDIR": str(place),
            # Without the pauses a file changes twice in one second, which compiled code cannot tell.
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(self, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.directory,
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def attempt(self, chunk: Chunk, number: int) -> subprocess.CompletedProcess[str]:
        """Execute and review once; findings of the attempt before are handed on."""
        variables = {"SPECYARD_ATTEMPT": str(number)}
        if self.findings.exists():
            variables["SPECYARD_FINDINGS_FILE"] = str(self.findings)
        done = self.run(chunk.params["run"], **variables)
        if done.returncode == 0 and chunk.review:
            done = self.run(chunk.review["command"], **variables)
        return done

    def ending(self, chunk: Chunk) -> int | str:
        """After how many attempts the chunk passed, or "failed"."""
        self.findings.unlink(missing_ok=True)
        for number in range(1, chunk.spec.max_attempts + 1):
            done = self.attempt(chunk, number)
            if done.returncode == 0:
                return number
            self.findings.write_text(done.stdout)
        return "failed"


@pytest.mark.parametrize("key", ENDINGS)
def test_every_spec_ends_as_promised(tmp_path, key):
    demo.set_up(tmp_path / "demo")
    spec = Spec.objects.get(key=key)
    workspace, endings = Workspace(spec, tmp_path), {}
    for chunk in spec.chunks.all():
        endings[chunk.key] = workspace.ending(chunk)
        if endings[chunk.key] == "failed":
            break
    assert endings == ENDINGS[key], workspace.findings.exists() and workspace.findings.read_text()


def test_the_failure_says_in_its_output_what_is_wrong(tmp_path):
    demo.set_up(tmp_path / "demo")
    spec = Spec.objects.get(key="checkout")
    done = Workspace(spec, tmp_path).attempt(spec.chunks.get(key="shipping"), 1)
    assert done.returncode == 1
    assert "test_an_order_of_exactly_50_is_sent_free" in done.stdout
    assert "free from 50.00 on" in done.stdout


def test_the_output_comes_in_colour(tmp_path):
    demo.set_up(tmp_path / "demo")
    spec = Spec.objects.get(key="publish")
    assert "\x1b[32m" in Workspace(spec, tmp_path).run(spec.chunks.get(key="links").params["run"]).stdout
