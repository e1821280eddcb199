"""A worker's number is never given twice in one data directory, whatever becomes of the database.

Journals, logs and workspaces carry the number. A database that was deleted, restored from a backup or exchanged for
another one would begin again with numbers that have a past, and the past would be taken for true.
"""

import os
import re
from pathlib import Path

from django.conf import settings
from django.db import connection

from workers.models import Worker, unit_of_work

PLACES = ("runs", "logs", "artifacts", "workspaces", "agents")
NUMBER = re.compile(r"\d{1,15}(?=-|\Z)")


def highest_number_kept(data: Path) -> int:
    """The highest number of a worker that has left something in this data directory; 0 for none."""
    names = [name for place in PLACES if (data / place).is_dir() for name in os.listdir(data / place)]
    return max((int(found[0]) for name in names if (found := NUMBER.match(name))), default=0)


def leave_the_past_alone() -> None:
    """Have the next worker numbered above everything that the data directory of this node keeps."""
    kept = highest_number_kept(settings.SPECYARD.data)
    if kept and not Worker.objects.filter(pk__gte=kept).exists():
        number_from(kept + 1)


@unit_of_work
def number_from(number: int) -> None:
    """Give no worker a number below this one from now on."""
    table = Worker._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # https://www.sqlite.org/autoinc.html: the row of a table that never had one is ours to write.
            cursor.execute("UPDATE sqlite_sequence SET seq = max(seq, %s) WHERE name = %s", [number - 1, table])
            if not cursor.rowcount:
                cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, number - 1])
        else:
            cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table])
            sequence = cursor.fetchone()[0]
            cursor.execute(
                f"SELECT setval(%s, %s, false) FROM {sequence} WHERE last_value < %s",
                [sequence, number, number],
            )
