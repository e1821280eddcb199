"""Exit codes of processes in words."""

import signal

NOT_FOUND = 127  # POSIX shells: the command was not found
NOT_EXECUTABLE = 126  # POSIX shells: it was found but is not executable


def describe(code: int) -> str:
    """An exit code in words."""
    if code == NOT_FOUND:
        return "was not found (exit code 127)"
    if code == NOT_EXECUTABLE:
        return "is not executable (exit code 126)"
    if code < 0:
        return f"was killed by {_signal_name(-code)}"
    if code > 128 and (name := _signal_name(code - 128)).startswith("SIG"):
        return f"ended with exit code {code} ({name})"
    return f"ended with exit code {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
