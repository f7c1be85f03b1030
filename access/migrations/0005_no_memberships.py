from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("access", "0004_memberships_become_roles")]

    operations = [migrations.DeleteModel("Membership")]
