"""What the database still held of readable secrets, in pages that it had freed or in its log, goes too."""

from django.db import migrations


def clear_what_was_freed(apps, schema_editor):
    """Only where there were any: it takes a while in a large database."""
    connection = schema_editor.connection
    secrets = apps.get_model("specs", "Secret").objects.using(connection.alias)
    if not secrets.filter(profile__isnull=False).exists():
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        elif connection.vendor == "postgresql":
            cursor.execute("VACUUM (FULL) specs_agentprofile")


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('specs', '0004_secrets'),
    ]

    operations = [
        migrations.RunPython(clear_what_was_freed, migrations.RunPython.noop),
    ]
