"""Unix sockets for one user."""

import os
import socket
from pathlib import Path


def listen(path: str) -> socket.socket:
    """A listening Unix socket for this user only. A stale file of the same name goes; a live one is an error."""
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {path}: {error}") from error
    finally:
        os.umask(before)
    listener.listen(128)
    return listener


def _remove_stale(path: str) -> None:
    if not Path(path).is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            Path(path).unlink(missing_ok=True)
        else:
            raise FileExistsError(f"somebody listens on {path} already")
