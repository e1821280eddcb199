"""Another database in the place of the one that was used: its rows get the same numbers again."""

from django.core.management.color import no_style
from django.db import connection


def begin_anew() -> None:
    """Forget everything; the next row of every table is number 1, as in a database that was just made."""
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    connection.ops.execute_sql_flush(
        connection.ops.sql_flush(no_style(), tables, reset_sequences=True, allow_cascade=False)
    )


def give_again(table: str, number: int) -> None:
    """The next row of the table gets this number, as after the restore of a backup."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = %s", [number - 1, table])
        else:
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s, false)", [table, number])
