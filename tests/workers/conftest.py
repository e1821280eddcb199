from tests.support.driving import background, launcher, owned
from tests.support.puppets import puppets
from tests.support.valkey import valkey

__all__ = ["background", "launcher", "owned", "puppets", "valkey"]
