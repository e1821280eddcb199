"""The two processes that run Django for good: the node's Celery and the web server. Each ends on TERM.

`specyard up` has them forked from one ancestor, so that they share memory. Where a fork without exec is not safe
(macOS), they are `python -P -m dashboard.cli.serve node|web …`.
"""

import argparse
import logging
import os
import signal
import socket
import sys
from typing import NoReturn

from setproctitle import setproctitle

from dashboard.cli import application
from dashboard.cli.ready import tell
from dashboard.cli.refusal import Refused
from dashboard.cli.spared import spared

SLOTS = 64  # threads of the pool; how many workers may run is decided by the Yard's limit
CLOSE_SECONDS = 3  # for what is open when the web server ends


def node(ready: int = -1) -> None:
    """Take this node's messages until TERM; then its runners are interrupted and it ends."""
    application.load()
    from celery.signals import setup_logging, worker_ready

    from dashboard import loglines
    from dashboard.celery import CONFIG, app

    loglines.identify(service="node", node=CONFIG.node_name)
    logging.captureWarnings(True)
    setup_logging.connect(_leave_logs_alone)

    def is_ready(**_: object) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # Celery would run our own command line again
        setproctitle("specyard node")  # Celery has called it something else
        tell(ready)

    worker_ready.connect(is_ready, weak=False)
    with spared():
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
    from celery.apps import worker as celerys  # loaded by now

    celerys.safe_say = lambda *_: None  # past the log, it would say that it ends
    worker.start()
    sys.exit(worker.exitcode)


def _leave_logs_alone(**_: object) -> None:
    """Connected, so that Celery configures no logs: Django has."""


def web(listener: int, ready: int = -1) -> None:
    """Serve pages and sockets on a listening socket until TERM."""
    application.load()
    with spared():
        from daphne.server import Server  # before anything that imports Twisted's reactor
        from twisted.internet import reactor
        from twisted.internet.endpoints import AdoptedStreamServerEndpoint

    from dashboard import loglines
    from dashboard.asgi import application as pages
    from dashboard.bounded import BoundedFactory
    from dashboard.requests import tell_connection

    loglines.identify(service="web")
    logging.captureWarnings(True)
    server = Server(
        pages,
        endpoints=["ours"],
        application_close_timeout=CLOSE_SECONDS,
        websocket_timeout=-1,
        server_name="specyard",
        action_logger=tell_connection,
    )
    server.endpoints.clear()  # to know what a description means, Twisted would load each of its plugins: 3 MB

    def listen() -> None:
        with socket.socket(fileno=os.dup(listener)) as ours:
            endpoint = AdoptedStreamServerEndpoint(reactor, listener, ours.family)
        endpoint.listen(BoundedFactory(server)).addCallbacks(server.listen_success, server.listen_error)
        tell(ready)

    reactor.callWhenRunning(listen)
    reactor.addSystemEventTrigger("before", "shutdown", lambda: reactor.callLater(CLOSE_SECONDS, leave))
    server.run()
    leave()


def leave() -> NoReturn:
    """End this process now. Requests in hand would be waited for, and they for a database that hangs, or for the loop,
    which has ended."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def main() -> None:
    """What `python -P -m dashboard.cli.serve` does."""
    parser = argparse.ArgumentParser(prog="python -P -m dashboard.cli.serve")
    parser.add_argument("what", choices=["node", "web"])
    parser.add_argument("--listener", type=int, default=-1, help="descriptor of the listening socket")
    parser.add_argument("--ready", type=int, default=-1, help="descriptor of a pipe to tell that it is ready")
    arguments = parser.parse_args()
    try:
        if arguments.what == "node":
            node(arguments.ready)
        else:
            web(arguments.listener, arguments.ready)
    except Refused as refusal:
        refusal.show()
        sys.exit(refusal.exit_code)


if __name__ == "__main__":
    main()
