
import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import records.identifiers


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('executions', '0009_roles'),
        ('projects', '0002_bundle'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Message',
            fields=[
                ('id', models.UUIDField(default=records.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('subject', models.CharField(max_length=128)),
                ('body', models.JSONField()),
                ('message_type', models.CharField(choices=[('SUCCESS', 'Success'), ('INFO', 'Info'), ('WARNING', 'Warning'), ('ERROR', 'Error'), ('POPUP', 'Popup')], default='INFO', max_length=8)),
                ('is_notice', models.BooleanField(default=False)),
                ('recipient_ids', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), blank=True, default=list, size=None)),
                ('recipient_role_ids', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), blank=True, default=list, size=None)),
                ('response', models.JSONField(null=True)),
                ('is_submitted', models.BooleanField(default=False)),
                ('answered_at', models.DateTimeField(null=True)),
                ('deadline_at', models.DateTimeField(null=True)),
                ('default_response', models.JSONField(null=True)),
                ('closed_at', models.DateTimeField(null=True)),
                ('waiter_ids', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), blank=True, default=list, size=None)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('answered_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('created_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('deleted_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('execution', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='executions.execution')),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.project')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('closed_at', None), ('is_submitted', False)), fields=['execution'], name='message_open_of_execution'), models.Index(condition=models.Q(('closed_at', None), ('is_submitted', False), ('deadline_at__isnull', False)), fields=['deadline_at'], name='message_due'), models.Index(models.OrderBy(models.F('id'), descending=True), condition=models.Q(('closed_at', None), ('is_submitted', False)), name='message_open'), models.Index(models.F('project'), models.OrderBy(models.F('id'), descending=True), name='message_of_project'), models.Index(models.F('execution'), models.OrderBy(models.F('id'), descending=True), name='message_of_execution')],
            },
        ),
    ]
