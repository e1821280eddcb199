"""Secrets are rows of their own, encrypted; those of agent profiles, which were readable, become such rows."""

import django.db.models.deletion
import specs.fields
from django.db import migrations, models

from specs import encryption


def encrypt(apps, schema_editor):
    """A row for each readable secret, which then goes."""
    profiles = apps.get_model("specs", "AgentProfile").objects.using(schema_editor.connection.alias)
    secrets = apps.get_model("specs", "Secret").objects.using(schema_editor.connection.alias)
    for profile in profiles.exclude(readable_secrets={}):
        for name, value in profile.readable_secrets.items():
            secrets.create(profile=profile, name=name, value=encryption.encrypt(value))
        profiles.filter(pk=profile.pk).update(readable_secrets={})


def decrypt(apps, schema_editor):
    """Back again. Those of projects had no place before."""
    profiles = apps.get_model("specs", "AgentProfile").objects.using(schema_editor.connection.alias)
    for profile in profiles.all():
        rows = profile.secrets.all()
        profiles.filter(pk=profile.pk).update(readable_secrets={row.name: encryption.decrypt(row.value) for row in rows})


class Migration(migrations.Migration):

    dependencies = [
        ('specs', '0003_agent_profiles'),
    ]

    operations = [
        migrations.RenameField(model_name='agentprofile', old_name='secrets', new_name='readable_secrets'),
        migrations.CreateModel(
            name='Secret',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', specs.fields.CleanCharField(editable=False, max_length=100)),
                ('value', models.TextField(editable=False)),
                ('changed_at', models.DateTimeField(auto_now=True)),
                ('changed_by', specs.fields.CleanCharField(blank=True, default='', editable=False, max_length=200)),
                ('profile', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='secrets', to='specs.agentprofile')),
                ('project', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='secrets', to='specs.project')),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('profile__isnull', False), ('project__isnull', True)), models.Q(('profile__isnull', True), ('project__isnull', False)), _connector='OR'), name='secret_belongs_to_a_project_or_a_profile'), models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='secret_has_a_name'), models.CheckConstraint(condition=models.Q(('value', ''), _negated=True), name='secret_has_a_value'), models.UniqueConstraint(fields=('project', 'name'), name='secret_is_unique_in_its_project'), models.UniqueConstraint(fields=('profile', 'name'), name='secret_is_unique_in_its_profile')],
            },
        ),
        migrations.RunPython(encrypt, decrypt),
        migrations.RemoveField(
            model_name='agentprofile',
            name='readable_secrets',
        ),
    ]
