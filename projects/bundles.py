"""What can be done with bundles: import, update, delete, and knowing what each of these would do.

Records are made and changed by the verbs of their types, so that versions, checks and permissions hold for them as
for all others. What a bundle holds is the records that point at it.
"""

from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from access import audit
from access.permissions import Operation, require, visible
from projects.models import Bundle, Project, bundled_kinds, join
from projects.shipped_bundles import DEFAULT_ROLES, ShippedBundle, shipped_bundles
from records.export_form import Document, Key, document_of
from records.kinds import Kind, all_kinds, kind_of, select
from records.models import NAME_TAKEN

_NAMED = 5  # in one sentence


class BundleInUse(ValidationError):
    """Other records point at what the bundle holds."""


@dataclass(frozen=True)
class Changes:
    """What an update does, or did: the records by type and name."""

    added: list[Key] = field(default_factory=list)
    changed: list[Key] = field(default_factory=list)
    removed: list[Key] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    @property
    def words(self) -> str:
        parts = [
            f"{len(keys)} {word}"
            for word, keys in (("added", self.added), ("changed", self.changed), ("removed", self.removed))
            if keys
        ]
        return ", ".join(parts) or "nothing changed"


def import_bundle(name: str, *, by: Any, project: Project | None = None, is_readonly: bool = True) -> Bundle:
    """Make the records of a bundle that ships, in `project` (the Default project unless given).

    Raises PermissionRefused, and ValidationError when it is imported already or a name among its records is taken.
    """
    shipped = _shipped(name)
    place = project or Project.default()
    require(by, Operation.CREATE, Bundle(project=place))
    with transaction.atomic():
        fields = {"project": place, "is_readonly": is_readonly, "created_by": by}
        bundle, is_new = Bundle.objects.get_or_create(name=name, defaults=fields)
        if not is_new:
            words = f"The bundle {name!r} is imported already. Update it instead."
            raise ValidationError({"name": ValidationError(words, code=NAME_TAKEN)})
        if taken := [document.key for document in shipped.documents if _find(document) is not None]:
            words = (
                f"There are records of these names already: {words_of(taken)}. Rename or delete them first."
            )
            raise ValidationError({"name": ValidationError(words, code=NAME_TAKEN)})
        for document in shipped.documents:
            _store(document, None, bundle, by)
        _note(bundle, shipped, by)
        audit.note("import", bundle, by=by, changes={"version": (None, bundle.version)})
    return bundle


def update_bundle(bundle: Bundle, *, by: Any) -> Changes:
    """Bring the records of an imported bundle to what ships now; returns what that changed.

    Raises PermissionRefused, BundleInUse when a record that goes is in use, and ValidationError.
    """
    require(by, Operation.UPDATE, bundle)
    shipped = _shipped(bundle.name)
    with transaction.atomic():
        bundle = Bundle.objects.select_for_update().get(pk=bundle.pk)
        before, changes, held = bundle.version, changes_of(bundle), bundle.held()
        for document in shipped.documents:
            if document.key in changes.added or document.key in changes.changed:
                _store(document, held.get(document.key), bundle, by)
        _remove([held[key] for key in changes.removed], by)
        _note(bundle, shipped, by)
        audit.note("update", bundle, by=by, changes={"version": (before, bundle.version)})
    return changes


def delete_bundle(bundle: Bundle, *, by: Any) -> Bundle:
    """Remove a bundle. Its records go to the trash and belong to it no more. Raises BundleInUse, PermissionRefused."""
    require(by, Operation.DELETE, bundle)
    if bundle.name == DEFAULT_ROLES:
        words = f"The bundle {bundle.name!r} stays: new projects, webhooks and schedules are given its roles."
        raise BundleInUse(words)
    with transaction.atomic():
        bundle = Bundle.objects.select_for_update().get(pk=bundle.pk)
        _remove(list(bundle.held().values()), by)
        for kind in bundled_kinds():  # what was put into the trash before
            kind.model._default_manager.filter(bundle=bundle).update(bundle=None)
        audit.note("delete", bundle, by=by)
        key, _ = bundle.pk, bundle.delete()
        bundle.pk = key
    return bundle


def save_bundle(bundle: Bundle, *, by: Any, **fields: Any) -> Bundle:
    """Open the records of a bundle to changes (`is_readonly`), or close them. Nothing else of it can be set."""
    require(by, Operation.UPDATE, bundle)
    if unknown := sorted(set(fields) - {"is_readonly"}):
        raise ValidationError(dict.fromkeys(unknown, "Of an imported bundle only is_readonly can be set."))
    if "is_readonly" in fields:
        before, bundle.is_readonly = bundle.is_readonly, fields["is_readonly"]
        bundle.modified_at, bundle.modified_by = timezone.now(), by
        with transaction.atomic():
            bundle.save(update_fields=["is_readonly", "modified_at", "modified_by"])
            audit.note("update", bundle, by=by, changes={"is_readonly": (before, bundle.is_readonly)})
    return bundle


# -- Knowing ------------------------------------------------------------------------------------------------


def changes_of(bundle: Bundle) -> Changes:
    """Return what an update would do now."""
    shipped = shipped_bundles().get(bundle.name)
    if shipped is None:
        return Changes()
    wanted, held = shipped.digests(), bundle.held()
    stored = {key: document_of(*pair).digest for key, pair in held.items()}
    return Changes(
        added=[key for key in wanted if key not in held],
        changed=[
            key
            for key in wanted
            if key in held and bundle.digests.get(join(key)) != [wanted[key], stored[key]]
        ],
        removed=[key for key in held if key not in wanted],
    )


def in_use(pairs: list[tuple[Kind, Any]]) -> list[tuple[Key, Key]]:
    """Return which other records point at these, as (what points, at what)."""
    going = {record.pk for _, record in pairs}
    found: list[tuple[Key, Key]] = []
    for user in all_kinds():
        if user.create is None:  # an execution keeps the script that it runs, so it needs nothing
            continue
        for name, target in user.references.items():
            mine = [record for kind, record in pairs if kind.name == target]
            rows = user.rows().filter(**{f"{name}__in": mine}).exclude(pk__in=going).select_related(name)
            found += [
                (_key(user, row), _key(kind_of(target), getattr(row, name))) for row in (rows if mine else [])
            ]
    return found


def words_of(keys: list[Key]) -> str:
    """Return these records in words: “flow 'a', flow 'b' and 3 more”."""
    named = [f"{kind} {name!r}" for kind, name in keys[:_NAMED]]
    more = len(keys) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


# -- Parts --------------------------------------------------------------------------------------------------


def _shipped(name: str) -> ShippedBundle:
    bundles = shipped_bundles()
    if name not in bundles:
        known = ", ".join(bundles) or "none"
        raise ValidationError({"name": f"There is no bundle {name!r} to import; there are: {known}."})
    return bundles[name]


def _find(document: Document) -> Any:
    return select(document.kind, document.name, by="name")


def _store(document: Document, held: tuple[Kind, Any] | None, bundle: Bundle, by: Any) -> None:
    kind, place = document.kind, {"project": bundle.project} if "project" in document.kind.references else {}
    fields = document.resolved(lambda rows: visible(by, rows))
    if held is not None:
        assert kind.save is not None
        kind.save(held[1], by=by, bundle=bundle, **fields)
    else:
        assert kind.create is not None
        kind.create(by=by, bundle=bundle, **place, **fields)


def _remove(pairs: list[tuple[Kind, Any]], by: Any) -> None:
    if users := in_use(pairs):
        words = "; ".join(f"the {a} {b!r} uses the {c} {d!r}" for (a, b), (c, d) in users[:_NAMED])
        more = f"; and {len(users) - _NAMED} more" if len(users) > _NAMED else ""
        raise BundleInUse(f"Still in use: {words}{more}. Change or delete these first.")
    for kind, record in pairs:
        assert kind.save is not None and kind.trash is not None
        kind.trash(kind.save(record, by=by, bundle=None, is_readonly=False), by=by)


def _note(bundle: Bundle, shipped: ShippedBundle, by: Any) -> None:
    """Write down what the bundle holds now."""
    stored = {key: document_of(*pair).digest for key, pair in bundle.held().items()}
    bundle.digests = {join(key): [digest, stored[key]] for key, digest in shipped.digests().items()}
    bundle.version, bundle.description = shipped.version, shipped.description
    bundle.modified_at, bundle.modified_by = timezone.now(), by
    bundle.save()


def _key(kind: Kind, record: Any) -> Key:
    return kind.name, getattr(record, kind.name_field)
