from collections import Counter

from django.db import migrations, models
from django.db.models import Count, Sum

FIGURES = ("tokens_in", "tokens_out", "cost", "cached_read", "cached_written")
COST_PARTS = 10_000


def count_what_has_ended(apps, schema_editor):
    """Up to the newest event, whose number is held meanwhile: what ends now is counted from its event later."""
    counter, worker, attempt, totals = (
        apps.get_model("workers", name) for name in ("EventCounter", "Worker", "Attempt", "Totals")
    )
    held = counter.objects.select_for_update().filter(pk=1).first()
    counts = Counter()
    ended = worker.objects.filter(completed_at__isnull=False).order_by()
    for status, reason, number in ended.values_list("status", "reason").annotate(number=Count("pk")):
        counts["workers", status, reason] = number
    closed = attempt.objects.filter(finished_at__isnull=False).order_by()
    for status, number in closed.values_list("status").annotate(number=Count("pk")):
        counts["attempts", status] = number
    sums = {f"sum_{name}": Sum(name) for name in FIGURES}
    for profile, *used in closed.exclude(profile="").values_list("profile").annotate(**sums).values_list("profile", *sums):
        for name, number in zip(FIGURES, used):
            counts[name, profile] = int(number * COST_PARTS if name == "cost" else number)
    written = [[key, number] for key, number in sorted(counts.items()) if number]
    totals.objects.create(pk=1, seq=held.seq if held else 0, counts=written)


class Migration(migrations.Migration):

    dependencies = [
        ("workers", "0006_removed_and_lists"),
    ]

    operations = [
        migrations.AddField(
            model_name="node",
            name="canary_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="Totals",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seq", models.BigIntegerField(default=0)),
                ("counts", models.JSONField(default=list)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="totals_are_single"),
                ],
            },
        ),
        migrations.RunPython(count_what_has_ended, migrations.RunPython.noop),
    ]
