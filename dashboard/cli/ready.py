"""How a child tells `specyard up` that it is ready: a byte through a pipe, so that nobody has to poll it."""

import os


class Ready:
    """One pipe for one start. A child that is restarted later finds it closed and tells nobody."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)

    @property
    def descriptor(self) -> int:
        """For a child that is another program; -1 when nobody waits."""
        return self._write

    def __call__(self) -> bool:
        """Whether the child has told it."""
        try:
            return bool(os.read(self._read, 1))
        except BlockingIOError:
            return False

    def close(self) -> None:
        for end in (self._read, self._write):
            os.close(end)
        self._read = self._write = -1


def tell(descriptor: int) -> None:
    """In the child: say that it is ready. Nobody may be listening any more."""
    if descriptor < 0:
        return
    try:
        os.write(descriptor, b"+")
    except BrokenPipeError:
        return
    finally:
        os.close(descriptor)
