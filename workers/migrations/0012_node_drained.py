from django.db import migrations, models


class Migration(migrations.Migration):
    """A node that is drained stays so when it was not heard of for a while."""

    dependencies = [("workers", "0011_nonce")]

    operations = [migrations.AddField("node", "drained", models.BooleanField(default=False))]
