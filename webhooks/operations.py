"""What can be done with webhooks: make, change, trash, restore, duplicate, and give them a new key.

A new webhook is disabled. It gets the default role Webhook where its maker could give it, so that it can do its work.
"""

import secrets
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from access.models import IdentityKind
from access.operations import give_first_role
from access.permissions import Operation, require, require_in_project
from connectors.sealing import CannotOpen
from executions.models import Execution
from projects import contents
from projects.models import Project
from records.changes import tell
from records.operations import save_record
from webhooks.models import Location, Webhook

FIRST_ROLE = "Webhook"
SHORTEST_SECRET = 16
_SECRETS = ("key", "signing_secret")
_COPIED = (
    "description", "flow", "is_productive", "methods", "execution_location", "location_project",
    "is_key_required", "signature_scheme", "signature_header", "replay_window_seconds", "allowed_networks",
    "idempotency_header", "idempotency_path", "idempotency_ttl_seconds", "time_limit_seconds",
    "body_limit_bytes", "rate_limit_per_minute",
)  # fmt: skip


def create_webhook(*, by: Any, project: Project | None = None, name: str, **fields: Any) -> Webhook:
    """Make a webhook in `project` (that of its flow unless given); it is disabled unless `is_enabled` is given."""
    flow = fields.get("flow")
    if flow is None:
        raise ValidationError({"flow_id": "This field is required."})
    webhook = contents.new_in_project(Webhook, project or flow.project, by=by)
    return _store(webhook, by=by, name=name, **fields)


def save_webhook(webhook: Webhook, *, by: Any, **fields: Any) -> Webhook:
    """Change a webhook. `key` and `signing_secret` replace what was there; an empty one takes it away, None leaves it.

    A key that is given is asked for from then on, and one that is taken away is not, unless `is_key_required` is given.

    Raises ValidationError naming each wrong field, RecordIsReadonly, PermissionRefused.
    """
    contents.require_save(webhook, fields, by=by)
    return _store(webhook, by=by, **fields)


def make_key(webhook: Webhook, *, by: Any) -> str:
    """Give the webhook a new random key and return it. It is shown this once; the one before is good no more."""
    key = f"whk_{secrets.token_urlsafe(32)}"
    save_webhook(webhook, by=by, key=key)
    return key


def trash_webhook(webhook: Webhook, *, by: Any) -> Webhook:
    """Put a webhook into the trash, where nobody can call it. What it started lives on."""
    return contents.trash(webhook, by=by)


def restore_webhook(webhook: Webhook, *, by: Any) -> Webhook:
    """Take a webhook out of the trash, as it was."""
    return contents.restore(webhook, by=by)


def duplicate_webhook(webhook: Webhook, *, by: Any, name: str | None = None) -> Webhook:
    """Make a copy in its project under a new name: disabled, with the same key and signing secret."""
    require(by, Operation.READ, webhook)
    return create_webhook(
        by=by,
        project=webhook.project,
        name=name or contents.free_name(Webhook, f"{webhook.name} copy"),
        **{field: getattr(webhook, field) for field in _COPIED},
        **webhook.open_secrets(),
    )


@transaction.atomic
def _store(webhook: Webhook, *, by: Any, **fields: Any) -> Webhook:
    places_before = set() if webhook._state.adding else _places(webhook)
    given = {name: fields.pop(name) for name in _SECRETS if name in fields}
    flow = fields.get("flow", webhook.flow if webhook.flow_id else None)
    if flow is not None and flow.pk != webhook.flow_id:
        require(by, Operation.RUN, flow)
        if flow.is_deleted:
            raise ValidationError({"flow_id": "The flow is in the trash."})
    place = fields.get("location_project")
    if fields.get("execution_location", webhook.execution_location) == Location.PROJECT and place is not None:
        require_in_project(by, Operation.CREATE, place, Execution)
    new_secrets = _seal(webhook, given)
    if "key" in new_secrets:
        fields.setdefault("is_key_required", bool(new_secrets["key"]))
    scheme = fields.get("signature_scheme", webhook.signature_scheme)
    if scheme and not webhook.has_signing_secret and "bundle" not in fields:  # bundles bring no secrets
        raise ValidationError({"signing_secret": "Give the secret that the sender signs with."})
    is_new = webhook._state.adding
    owner = {} if webhook.created_by_id or is_new else {"created_by": by}
    save_record(webhook, by=by, **fields, **owner)
    if new_secrets and not is_new:
        tell("update", webhook, by=by, changes=dict.fromkeys(new_secrets, ("", "another")))
    if (places := _places(webhook)) != places_before:
        give_first_role(IdentityKind.WEBHOOK, webhook.pk, FIRST_ROLE, by=by, projects=places)
    return webhook


def _places(webhook: Webhook) -> set[Project]:
    """Return the projects that it works in: where it is, where its flow is, and where its executions are."""
    return {webhook.project, webhook.flow.project, webhook.location_project or webhook.project}


def _seal(webhook: Webhook, given: dict[str, Any]) -> dict[str, str]:
    """Seal the secrets that are given; returns them. Raises ValidationError for what is none."""
    changed = {name: value for name, value in given.items() if value is not None}
    for name, value in changed.items():
        if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
            raise ValidationError({name: "Give printable ASCII characters."})
        if value and len(value) < SHORTEST_SECRET:
            raise ValidationError({name: f"Give {SHORTEST_SECRET} characters or more; empty for none."})
    if changed:
        try:
            kept = {name: value for name, value in webhook.open_secrets().items() if name not in changed}
        except CannotOpen:  # what was sealed is lost; this is how it is mended
            kept = {}
        webhook.seal_secrets(kept | {name: value for name, value in changed.items() if value})
    return changed


def reseal(make_new: Callable[[str], str]) -> int:
    """Seal the secrets of all webhooks anew, in the caller's transaction; returns how many."""
    rows = Webhook.objects.exclude(sealed="").select_for_update().values_list("pk", "sealed")
    for key, sealed in rows:
        Webhook.objects.filter(pk=key).update(sealed=make_new(sealed))
    return len(rows)
