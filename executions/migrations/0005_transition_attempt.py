from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("executions", "0004_payload")]

    operations = [
        # One that sleeps for months is taken up more often than a small integer can count.
        migrations.AlterField("transition", "attempt", models.PositiveIntegerField(default=0)),
    ]
