from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('workers', '0005_cached_tokens'),
    ]

    operations = [
        migrations.AddField(
            model_name='worker',
            name='removed',
            field=models.BooleanField(default=False),
        ),
        migrations.AddIndex(
            model_name='worker',
            index=models.Index(condition=models.Q(('completed_at__isnull', False)), fields=['project', 'status', '-completed_at', '-id'], name='worker_history_project_status'),
        ),
        migrations.AddIndex(
            model_name='worker',
            index=models.Index(condition=models.Q(('completed_at__isnull', False)), fields=['spec', 'status', '-completed_at', '-id'], name='worker_history_spec_status'),
        ),
    ]
