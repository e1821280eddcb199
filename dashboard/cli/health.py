"""Health of a container: `python -P -m dashboard.cli.health web|node` ends with 0 when all is well, else with 1."""

import http.client
import sys
from urllib.parse import urlsplit

from dashboard.cli import ground, launcher, state
from dashboard.config import Config, load

SECONDS = 4.0


def web(config: Config) -> str:
    """What is wrong with the web server on this machine; empty when it answers."""
    place = urlsplit(ground.shown(config.host, config.port))
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=SECONDS)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        status = connection.getresponse().status
    except OSError as error:
        return f"The web server does not answer: {error}"
    finally:
        connection.close()
    return "" if status == http.client.OK else f"The web server answers with {status}."


def node(config: Config) -> str:
    """What is wrong with the node on this machine; empty when its Celery lives and its launcher answers."""
    living = {name for name, record in state.read(config.data / "up.json").children.items() if record.lives}
    if "node" not in living:
        return "The Celery of this node does not run."
    try:
        launcher.ping(config.launcher_socket, SECONDS)
    except launcher.NoLauncher as error:
        return f"The launcher does not answer: {error}"
    return ""


def main() -> None:
    """Check what the first argument names."""
    wrong = {"web": web, "node": node}[sys.argv[1]](load())
    if wrong:
        sys.exit(wrong)


if __name__ == "__main__":
    main()
