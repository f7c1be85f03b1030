"""The audit log lets entries go that are as old as `access.audit_expiry` says in its transaction, and no others."""

from django.db import migrations

EXPIRES = """
CREATE FUNCTION access_audit_expires() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.at < now() - greatest(current_setting('engine.audit_days')::int, 1) * interval '1 day' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'The audit log can only be added to: this entry has not expired.';
END $$;
DROP TRIGGER access_audit_stays ON access_auditentry;
CREATE TRIGGER access_audit_stays BEFORE UPDATE ON access_auditentry
FOR EACH STATEMENT EXECUTE FUNCTION access_audit_stays();
CREATE TRIGGER access_audit_stays_whole BEFORE DELETE ON access_auditentry
FOR EACH STATEMENT WHEN (coalesce(current_setting('engine.audit_days', true), '') = '')
EXECUTE FUNCTION access_audit_stays();
CREATE TRIGGER access_audit_expires BEFORE DELETE ON access_auditentry
FOR EACH ROW EXECUTE FUNCTION access_audit_expires();
"""
STAYS = """
DROP TRIGGER access_audit_expires ON access_auditentry;
DROP TRIGGER access_audit_stays_whole ON access_auditentry;
DROP TRIGGER access_audit_stays ON access_auditentry;
CREATE TRIGGER access_audit_stays BEFORE UPDATE OR DELETE ON access_auditentry
FOR EACH STATEMENT EXECUTE FUNCTION access_audit_stays();
DROP FUNCTION access_audit_expires();
"""


class Migration(migrations.Migration):

    dependencies = [
        ("access", "0008_role_bundle"),
    ]

    operations = [migrations.RunSQL(EXPIRES, STAYS)]
