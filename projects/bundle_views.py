"""Pages of the bundle manager: what ships and what is imported, and one bundle with its records."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET, require_POST

from access.pages import page, words_of
from access.permissions import Operation, may, projects_with, visible
from projects import bundles
from projects.bundles import Changes
from projects.models import Bundle, Project
from projects.shipped_bundles import DEFAULT_ROLES, ShippedBundle, shipped_bundles
from records.export_form import Key

PROJECTS_OFFERED = 200


@dataclass(frozen=True)
class Entry:
    """One bundle of the list: as it ships, as it is imported, or both."""

    name: str
    shipped: ShippedBundle | None
    imported: Bundle | None

    @property
    def description(self) -> str:
        return self.shipped.description if self.shipped else getattr(self.imported, "description", "")

    @property
    def version(self) -> str:
        return self.imported.version if self.imported else getattr(self.shipped, "version", "")

    @property
    def count(self) -> int:
        return len(self.imported.digests if self.imported else self.shipped.documents if self.shipped else ())


@dataclass(frozen=True)
class Row:
    """One record of a bundle: where its page is, and what an update or a change made here means for it."""

    type_name: str
    name: str
    address: str = ""
    is_changed: bool = False
    update: str = ""  # added, changed or removed


@require_GET
@page
def bundle_list(request: HttpRequest) -> HttpResponse:
    """List the bundles that ship or are imported; `?imported` and `?updates` narrow them."""
    shipped = shipped_bundles()
    imported = {bundle.name: bundle for bundle in visible(request.user, Bundle.objects.all())}
    entries = [
        Entry(name, shipped.get(name), imported.get(name))
        for name in sorted({*shipped, *imported}, key=str.lower)
    ]
    only = next((name for name in ("imported", "updates") if name in request.GET), "")
    if only:
        entries = [entry for entry in entries if entry.imported]
    if only == "updates":
        entries = [entry for entry in entries if entry.imported and entry.imported.has_update]
    return render(
        request, "projects/bundles.html", {"entries": entries, "only": only} | _import_form(request)
    )


@require_GET
@page
def bundle_detail(request: HttpRequest, name: str) -> HttpResponse:
    """Show one bundle: its records, what was changed here, and what an update would do."""
    bundle = (
        visible(request.user, Bundle.objects.select_related("project", "modified_by"))
        .filter(name=name)
        .first()
    )
    shipped = shipped_bundles().get(name)
    if bundle is None and shipped is None:
        raise Http404
    changes = bundles.changes_of(bundle) if bundle else Changes()
    context = {
        "entry": Entry(name, shipped, bundle),
        "name": name,
        "bundle": bundle,
        "shipped": shipped,
        "changes": changes,
        "rows": _rows(bundle, changes)
        if bundle
        else [Row(*document.key) for document in _documents(shipped)],
        "may_update": bundle is not None and may(request.user, Operation.UPDATE, bundle),
        "may_delete": bundle is not None
        and name != DEFAULT_ROLES
        and may(request.user, Operation.DELETE, bundle),
    }
    return render(request, "projects/bundle.html", context | _import_form(request))


@require_POST
@page
def bundle_import(request: HttpRequest, name: str) -> HttpResponse:
    """Import a bundle into the chosen project."""
    chosen = request.POST.get("project", "")
    try:
        projects = visible(request.user, Project.objects.alive())
        project = projects.get(pk=chosen) if chosen else None
        bundle = bundles.import_bundle(name, by=request.user, project=project)
    except Project.DoesNotExist:
        messages.error(request, "This project is not there any more.")
    except ValidationError as error:
        messages.error(request, f"“{name}” was not imported. {words_of(error)}")
    else:
        messages.success(request, f"Imported “{name}” {bundle.version}.")
    return redirect("bundle-detail", name)


@require_POST
@page
def bundle_update(request: HttpRequest, name: str) -> HttpResponse:
    """Bring a bundle to what ships now."""
    try:
        changes = bundles.update_bundle(_find(request, name), by=request.user)
    except ValidationError as error:
        messages.error(request, f"“{name}” was not updated. {words_of(error)}")
    else:
        messages.success(request, f"Updated “{name}”: {changes.words}.")
    return redirect("bundle-detail", name)


@require_POST
@page
def bundle_save(request: HttpRequest, name: str) -> HttpResponse:
    """Open the records of a bundle to changes, or close them."""
    bundle = bundles.save_bundle(
        _find(request, name), by=request.user, is_readonly="is_readonly" in request.POST
    )
    words = (
        "is read-only again"
        if bundle.is_readonly
        else "can be changed now; an update overwrites what you change"
    )
    messages.success(request, f"What came with “{name}” {words}.")
    return redirect("bundle-detail", name)


@require_POST
@page
def bundle_delete(request: HttpRequest, name: str) -> HttpResponse:
    """Delete a bundle; its records go to the trash."""
    try:
        bundles.delete_bundle(_find(request, name), by=request.user)
    except ValidationError as error:
        messages.error(request, f"“{name}” was not deleted. {words_of(error)}")
        return redirect("bundle-detail", name)
    messages.success(request, f"Deleted “{name}”. Its records are in the trash.")
    return redirect("bundle-list")


def _find(request: HttpRequest, name: str) -> Bundle:
    bundle = visible(request.user, Bundle.objects.all()).filter(name=name).first()
    if bundle is None:
        raise Http404
    return bundle


def _import_form(request: HttpRequest) -> dict[str, Any]:
    projects = visible(request.user, Project.objects.alive()).order_by("name")
    where = projects_with(request.user, Operation.CREATE, Bundle)
    if where is not None:
        projects = projects.filter(pk__in=where)
    return {"places": list(projects.only("id", "name")[:PROJECTS_OFFERED])}


def _documents(shipped: ShippedBundle | None) -> Any:
    return sorted(shipped.documents, key=lambda document: document.key) if shipped else ()


def _rows(bundle: Bundle, changes: Changes) -> list[Row]:
    changed_here = bundle.changed_here()
    rows = [
        Row(*key, _address(key[0], record), key in changed_here, _update(key, changes))
        for key, (_, record) in bundle.held().items()
    ]
    return sorted(
        [*rows, *(Row(*key, update="added") for key in changes.added)],
        key=lambda row: (row.type_name, row.name),
    )


def _update(key: Key, changes: Changes) -> str:
    return "removed" if key in changes.removed else "changed" if key in changes.changed else ""


def _address(type_name: str, record: Any) -> str:
    """Return the address of the record's page, empty for a type that has none."""
    try:
        return reverse(f"{type_name}-detail", args=[record.pk])
    except NoReverseMatch:
        return ""
