"""Event streams: from the commit of an event to its arrival at every one of so many programs that listen.

The events are the output of a worker, committed by a process of its own; all streams are read by this one.
"""

import asyncio
import json
import os
import resource
import time
from typing import Any
from urllib.parse import urlsplit

import psutil

from benchmarks import harness
from benchmarks.live_latency import Served, begin_work, committed_by_another, served

STREAMS = 200
CASES = ((1, 200, 0.1), (STREAMS, 200, 0.25), (STREAMS, 400, 0.05))  # streams, events, seconds between them
DATA = b"data: "


class Stream:
    """A program that listens, and notes when which event arrived."""

    def __init__(self) -> None:
        self.seen: dict[int, float] = {}
        self.is_open = asyncio.Event()

    async def follow(self, address: str, cookie: str) -> None:
        """Read for ever."""
        parts = urlsplit(address)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        lines = ["GET /api/workers/events HTTP/1.1", f"Host: {parts.netloc}", f"Cookie: {cookie}", "", ""]
        writer.write("\r\n".join(lines).encode())
        status = await reader.readline()
        if b" 200 " not in status:
            raise RuntimeError(f"the stream was refused: {status!r}")
        while line := await reader.readline():
            if line.startswith(b"id: "):
                self.is_open.set()
            elif line.startswith(DATA):
                now = time.time()
                self.seen[json.loads(line[len(DATA) :])["data"].get("log_bytes", -1)] = now


async def measured(server: Served, cookie: str, streams: int, count: int, pause: float) -> dict[str, Any]:
    """The delays of all events on all of so many streams, and what they cost the web process."""
    listening = [Stream() for _ in range(streams)]
    tasks = [asyncio.create_task(one.follow(server.address, cookie)) for one in listening]
    await asyncio.gather(*(one.is_open.wait() for one in listening))
    await asyncio.sleep(1)
    web = psutil.Process(server.processes[-1].pid)
    before = web.cpu_times()
    committed = await committed_by_another(count, pause)
    await asyncio.sleep(1)
    used = web.cpu_times()
    seconds = used.user + used.system - before.user - before.system
    delays = [one.seen[number] - at for one in listening for number, at in enumerate(committed)]
    threads, memory = web.num_threads(), web.memory_info().rss
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    about = {"web_cpu_ms_per_event": round(1000 * seconds / count, 2), "web_threads": threads}
    return {**harness.milliseconds(delays), **about, "web_memory_mb": round(memory / 1e6, 1)}


async def measure(server: Served, cookie: str) -> dict[str, Any]:
    """Every case."""
    figures = {}
    for streams, count, pause in CASES:
        name = f"{streams}_streams_at_{1 / pause:g}_per_second_received_ms"
        figures[name] = await measured(server, cookie, streams, count, pause)
        await asyncio.sleep(2)
    return figures


def main() -> None:
    about = harness.machine()
    os.environ["SPECYARD_EVENT_STREAMS_PER_ACCOUNT"] = str(STREAMS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with served() as (server, cookie):
        begin_work()
        figures = asyncio.run(measure(server, cookie))
    harness.report("event_streams", figures, about)


if __name__ == "__main__":
    main()
