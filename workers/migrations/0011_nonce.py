from django.db import migrations, models

import workers.models.worker_row


class Migration(migrations.Migration):
    """Workers that are there already keep the names of their directories, which had no nonce."""

    dependencies = [("workers", "0010_artifacts")]

    operations = [
        migrations.AddField("worker", "nonce", models.CharField(default="", editable=False, max_length=8)),
        migrations.AlterField(
            "worker",
            "nonce",
            models.CharField(default=workers.models.worker_row.new_nonce, editable=False, max_length=8),
        ),
    ]
