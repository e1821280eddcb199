#!/usr/bin/env python
"""Django's administrative commands."""

import os
import sys

from django.core.management import execute_from_command_line

from dashboard.config import ConfigInvalid

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    try:
        execute_from_command_line(sys.argv)
    except ConfigInvalid as error:
        print(f"manage.py: {error}", file=sys.stderr)
        sys.exit(2)
