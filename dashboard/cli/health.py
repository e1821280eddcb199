"""Health of a container: `python -P -m dashboard.cli.health web|node` ends with 0 when all is well, else with 1."""

import sys

from dashboard.cli import answers, ground, state
from dashboard.config import Config, ConfigInvalid, load

SECONDS = 4.0


def web(config: Config) -> str:
    """What is wrong with the web server on this machine; empty when it answers."""
    return answers.fault_of_web(ground.shown(config.host, config.port), SECONDS)


def node(config: Config) -> str:
    """What is wrong with the node on this machine; empty when its Celery lives and its launcher answers."""
    living = {name for name, record in state.read(config.data / "up.json").children.items() if record.lives}
    if "node" not in living:
        return "The Celery of this node does not run."
    return answers.fault_of_launcher(config.launcher_socket, SECONDS)


def main() -> None:
    """Check what the first argument names."""
    try:
        config = load()
    except ConfigInvalid as error:
        sys.exit(str(error))
    wrong = {"web": web, "node": node}[sys.argv[1]](config)
    if wrong:
        sys.exit(wrong)


if __name__ == "__main__":
    main()
