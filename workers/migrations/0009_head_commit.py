from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def stand_where_the_last_chunk_passed(apps, schema_editor):
    """The commit of the chunk that passed last, for workers from before this column."""
    workers = apps.get_model("workers", "Worker").objects.using(schema_editor.connection.alias)
    chunks = apps.get_model("workers", "WorkerChunk").objects.using(schema_editor.connection.alias)
    last = chunks.filter(worker=OuterRef("pk")).exclude(commit="").order_by("-finished_at", "-ordinal")
    workers.exclude(branch="").filter(chunks__commit__gt="").update(head_commit=Subquery(last.values("commit")[:1]))


class Migration(migrations.Migration):

    dependencies = [
        ("workers", "0008_secret_unreadable"),
    ]

    operations = [
        migrations.AddField(
            model_name="worker",
            name="head_commit",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.RunPython(stand_where_the_last_chunk_passed, migrations.RunPython.noop),
    ]
