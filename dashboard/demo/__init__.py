"""The demo: three small repositories with two specs each, made on this machine and imported like any other.

`files/` holds what the repositories consist of, as it is; the modules here add what is better generated (a history to
bisect, a catalogue, a handbook) and make git repositories of it.
"""

from dashboard.demo.install import Demo, DemoRefused, set_up

__all__ = ["Demo", "DemoRefused", "set_up"]
