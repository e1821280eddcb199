"""Requests a second and how long each takes: `GET /api/workers` and `POST /api/queue`. Needs wrk (Debian has it).

wrk keeps 16 connections busy on the machine that also answers them: with two cores, both have one.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import harness

SECONDS = 10
CONNECTIONS = 16
FINISHED = 1000
SPECS = 5000  # more than are added in the time: each is in the queue once
DONE = """
function done(summary, latency, requests)
  local e, q = summary.errors, function(p) return latency:percentile(p) / 1000 end
  io.write(string.format('{"n": %d, "seconds": %f, "failed": %d, "p50": %f, "p95": %f, "p99": %f, "max": %f}',
    summary.requests, summary.duration / 1e6, e.status + e.connect + e.read + e.write + e.timeout,
    q(50), q(95), q(99), latency.max / 1000))
end
"""
GET = """
wrk.headers["Authorization"] = "Bearer " .. os.getenv("SPECYARD_TOKEN")
"""
POST = """
local headers = {["Authorization"] = "Bearer " .. os.getenv("SPECYARD_TOKEN"), ["Content-Type"] = "application/json"}
local spec
function init(args) spec = tonumber(args[1]) - 1 end
function request()
  spec = spec + 1
  return wrk.format("POST", nil, headers, string.format('{"spec": %d}', spec))
end
"""


def measured(address: str, script: str, token: str, *arguments: str) -> dict[str, Any]:
    """What wrk says of SECONDS of one request. Raises RuntimeError when one was refused."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script + DONE)
        file.flush()
        options = ["--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{SECONDS}s"]
        command = ["wrk", *options, "--script", file.name, address, "--", *arguments]
        environment = {**os.environ, "SPECYARD_TOKEN": token}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout[done.stdout.index("{") :])
    if found["failed"]:
        raise RuntimeError(f"{found['failed']} of {found['n']} requests to {address} failed")
    rounded = {name: round(found[name], 2) for name in ("p50", "p95", "p99", "max")}
    return {"n": found["n"], **rounded, "requests_per_second": round(found["n"] / found["seconds"], 1)}


def prepare(directory: Path) -> tuple[str, int]:
    """Workers that have finished, specs that nobody has queued, a queue that stands still. A token, the first spec."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from dashboard import tokens
    from queue_app import dispatch
    from specs.models import Chunk, Spec
    from workers.models import Node, Worker

    user = User.objects.get()
    secret = tokens.create(user, "benchmark", "act")[1]
    dispatch.pause_queue("benchmark")
    spec = harness.make_spec("work", ["true"], directory)
    facts = {"spec": spec, "project": spec.project, "title": "Work", "node": Node.objects.get(), "last_slot": 1}
    ended = {**facts, "total": 1, "status": "completed", "completed_at": timezone.now()}
    Worker.objects.bulk_create(Worker(**ended) for _ in range(FINISHED))
    specs = Spec.objects.bulk_create(Spec(project=spec.project, key=f"s{n}", title=f"Spec {n}") for n in range(SPECS))
    chunk = {"ordinal": 1, "key": "c1", "title": "Chunk", "executor": "command", "params": {"run": "true"}}
    Chunk.objects.bulk_create(Chunk(spec=one, **chunk) for one in specs)
    return secret, specs[0].pk


def main() -> None:
    if not shutil.which("wrk"):
        sys.exit("There is no wrk here; on Debian: apt-get install wrk")
    about = harness.machine()
    with harness.up(SPECYARD_API_REQUESTS_PER_MINUTE="0") as running:
        token, first = prepare(running.data / "work")
        figures = {
            "finished_workers": FINISHED,
            "connections": CONNECTIONS,
            "get_workers_ms": measured(f"{running.address}/api/workers", GET, token),
            "post_queue_ms": measured(f"{running.address}/api/queue", POST, token, str(first)),
        }
    harness.report("api_requests", figures, about)


if __name__ == "__main__":
    main()
