"""A Python with Django on another yard's database, kept open: asking it something takes no start."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

LOOP = """
import json, sys, django
django.setup()
for line in sys.stdin:
    scope = {}
    exec(json.loads(line), scope)
    print(json.dumps(scope.get("answer")), flush=True)
"""


class Shell:
    """Runs code in a process with this environment; use as a context."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", LOOP],
            env={**environment, "DJANGO_SETTINGS_MODULE": "dashboard.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, code: str) -> Any:
        """What the code leaves in `answer`. Raises AssertionError when it ends in an exception."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(code), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, f"the code ended in an exception:\n{code}"
        return json.loads(line)

    def __enter__(self) -> "Shell":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
