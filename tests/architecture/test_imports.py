"""Who may import what."""

import subprocess
import sys
from pathlib import Path

from tests.architecture.source import ROOT, imports, modules

RUNNER_MAY_USE = {"psutil", "pydantic", "acp"}


def test_the_import_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(lint), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_the_runner_needs_nothing_but_itself_and_few_packages() -> None:
    foreign = {
        (str(module.path), name)
        for module in modules("workers/runner")
        for name in imports(module.tree)
        if not name.startswith("workers.runner") and not _is_allowed(name)
    }
    assert foreign == set()


def _is_allowed(name: str) -> bool:
    top = name.split(".", 1)[0]
    return top in sys.stdlib_module_names or top in RUNNER_MAY_USE


def test_importing_the_runner_loads_no_django() -> None:
    """Also not by way of another package's `__init__`."""
    code = "import sys, workers.runner.launcher; print(sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "'pydantic'" in done.stdout
    for unwanted in ("django", "celery", "kombu", "channels", "redis", "dashboard", "acp"):
        assert f"'{unwanted}'" not in done.stdout


def test_nobody_imports_the_settings() -> None:
    everything = modules() + modules("tests")
    assert not [m.path for m in everything if "dashboard.settings" in set(imports(m.tree))]
