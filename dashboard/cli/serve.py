"""The two processes that run Django for good: the node's Celery and the web server. Each ends on TERM.

`specyard up` forks them from itself, so that they share its memory. Where a fork without exec is not safe (macOS),
they are `python -P -m dashboard.cli.serve node|web …`.
"""

import argparse
import signal
import sys

from setproctitle import setproctitle

from dashboard.cli.ready import tell

SLOTS = 64  # threads of the pool; how many workers may run is decided by the Yard's limit
CLOSE_SECONDS = 3  # for the sockets that are open when the web server ends


def node(ready: int = -1) -> None:
    """Take this node's messages until TERM; then its runners are interrupted and it ends."""
    from celery.signals import worker_ready

    from dashboard.celery import CONFIG, app

    def is_ready(**_: object) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # Celery would run our own command line again
        setproctitle("specyard node")  # Celery has called it something else
        tell(ready)

    worker_ready.connect(is_ready, weak=False)
    worker = app.Worker(
        hostname=f"node@{CONFIG.node_name}",
        pool="threads",
        concurrency=SLOTS,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="WARNING",
        quiet=True,
    )
    worker.start()
    sys.exit(worker.exitcode)


def web(listener: int, ready: int = -1) -> None:
    """Serve pages and sockets on a listening socket until TERM."""
    from daphne.server import Server  # before anything that imports Twisted's reactor
    from twisted.internet import reactor

    from dashboard.asgi import application

    reactor.callWhenRunning(tell, ready)
    Server(
        application,
        endpoints=[f"fd:fileno={listener}"],
        application_close_timeout=CLOSE_SECONDS,
        websocket_timeout=-1,
        server_name="specyard",
    ).run()


def main() -> None:
    """What `python -P -m dashboard.cli.serve` does."""
    parser = argparse.ArgumentParser(prog="python -P -m dashboard.cli.serve")
    parser.add_argument("what", choices=["node", "web"])
    parser.add_argument("--listener", type=int, default=-1, help="descriptor of the listening socket")
    parser.add_argument("--ready", type=int, default=-1, help="descriptor of a pipe to tell that it is ready")
    arguments = parser.parse_args()
    if arguments.what == "node":
        node(arguments.ready)
    else:
        web(arguments.listener, arguments.ready)


if __name__ == "__main__":
    main()
