"""Daphne, run with `-m`, on an application that soon gives up clients that take nothing."""

import sys

from daphne.cli import CommandLineInterface

from dashboard import asgi
from dashboard.live import sse

assert asgi.application
sse.STALLED = 1.0

if __name__ == "__main__":
    sys.argv[0] = "daphne"
    CommandLineInterface.entrypoint()
