"""`python -P -m workers.runner launcher --socket PATH`."""

import argparse
import sys

from workers.runner import launcher


def main() -> int:
    """Be what the command line says; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -P -m workers.runner")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("launcher", help="start runners on request; parent of all runners of a node")
    start.add_argument("--socket", required=True, help="Unix socket to listen on, a path under 100 bytes")
    arguments = parser.parse_args()
    try:
        launcher.main(arguments.socket)
    except OSError as error:
        print(f"launcher: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
