from tests.support.driving import background, launcher, owned
from tests.support.valkey import valkey

__all__ = ["background", "launcher", "owned", "valkey"]
