"""Which executors this installation has, as far as specs need to know: names and parameters.

The executors live in a layer above, which tells us about them: see `set_source`.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

# Gives one sentence per thing that is wrong with the parameters; a sentence may begin with "<parameter>: ".
Validate = Callable[[dict[str, Any]], list[str]]
Source = Callable[[], Mapping[str, Validate]]

ENTRY_POINTS = "specyard.executors"
AGENT = "agent"  # the executor whose parameter `profile` names an agent profile


def installed() -> Mapping[str, Validate]:
    """What can be known without the upper layers: the names, with any parameters accepted."""
    names = ["command", *(entry.name for entry in entry_points(group=ENTRY_POINTS))]
    return dict.fromkeys(names, _accept)


def _accept(params: dict[str, Any]) -> list[str]:
    return []


_source: Source = installed


def set_source(source: Source) -> None:
    """Called by the layer that owns the executors when the application starts."""
    global _source
    _source = source


def known() -> Mapping[str, Validate]:
    """Every executor's name and the check of its parameters."""
    return _source()
