from tests.support.driving import background, launcher
from tests.support.valkey import valkey

__all__ = ["background", "launcher", "valkey"]
