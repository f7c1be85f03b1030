
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('executions', '0014_lock'),
        ('flows', '0003_wrapper'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RunChoice',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('inputs', models.JSONField(null=True)),
                ('options', models.JSONField(default=dict)),
                ('at', models.DateTimeField(auto_now=True)),
                ('flow', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='flows.flow')),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('user', 'flow'), name='run_choice_unique')],
            },
        ),
    ]
