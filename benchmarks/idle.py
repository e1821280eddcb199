"""P5: memory (PSS) and CPU of all processes together, idle, with one page open. Linux only."""

import http.cookiejar
import re
import time
import urllib.parse
import urllib.request
from pathlib import Path

import psutil
from websockets.sync.client import connect

from benchmarks import harness

SECONDS = 60


def pss(pid: int) -> int:
    """Bytes of memory, shared pages counted in proportion."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def signed_in(link: str) -> str:
    """Sign in as a browser does; gives the cookies as a header."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    with opener.open(link, timeout=10) as page:
        form = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert form is not None, "the link shows no button"
    pressed = urllib.parse.urlencode({"csrfmiddlewaretoken": form[1]}).encode()
    with opener.open(link, data=pressed, timeout=10) as page:
        page.read()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def main() -> None:
    about = harness.machine()
    with harness.up() as running:
        cookies = signed_in(running.link)
        address = running.address.replace("http", "ws", 1) + "/live/socket?topics=workers"
        with connect(address, additional_headers={"Cookie": cookies}, origin=running.address) as page:
            page.recv(timeout=10)
            root = psutil.Process(running.process.pid)
            processes = [root, *root.children(recursive=True)]
            time.sleep(5)  # what the start still does is not idling
            before = {process.pid: cpu(process) for process in processes}
            time.sleep(SECONDS)
            used = {process.pid: cpu(process) - before[process.pid] for process in processes}
            memory = {process.pid: pss(process.pid) for process in processes}
    figures = {
        "pss_mb": round(sum(memory.values()) / 1e6, 1),
        "cpu_seconds_per_minute": round(sum(used.values()) * 60 / SECONDS, 2),
        "by_process": {
            process.pid: {"pss_mb": round(memory[process.pid] / 1e6, 1), "cpu_s": round(used[process.pid], 2)}
            for process in processes
        },
    }
    harness.report("idle", figures, about)


if __name__ == "__main__":
    main()
