"""Pages of records with scripts: list, editor, schema, executions, history, trash. Flows and wrappers fill in the rest.

Saving and checking answer scripts of ours in JSON; everything else is a form or a link.
"""

import json
from collections.abc import Callable, Mapping
from difflib import unified_diff
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods

from access.pages import json_error, page, uuid_or_404, visible_or_404, words_of
from access.permissions import Operation, may, visible
from flows import scripted
from flows.checks import check_script
from flows.models import ScriptRecord
from projects.models import Project
from records.kinds import Kind
from records.paging import KeyPage, page_by_key

LATEST_SHOWN = 12
PROJECTS_OFFERED = 200
Page = tuple[str, str, Callable[..., Any], list[str]]
_GET, _POST, _BOTH = ["GET", "HEAD"], ["POST"], ["GET", "HEAD", "POST"]


class ScriptedPages:
    """The pages of one record type. Its name is in their addresses, their templates and the words they say."""

    kind: ClassVar[Kind]

    # What each type says for itself.

    def rows(self, request: HttpRequest) -> KeyPage[Any]:
        """Return the page of records that the list shows, by the parameters q, project, problems and trash."""
        raise NotImplementedError

    def more_in_list(self, request: HttpRequest) -> dict[str, Any]:
        """Return what else the list shows."""
        return {}

    def more(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        """Return what else every page of one record shows."""
        return {}

    def more_details(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        """Return what else the page of details shows."""
        return {}

    def read_details(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields that only this type has, as the form of details gives them. Raises ValidationError."""
        return {}

    # The pages.

    def index(self, request: HttpRequest) -> HttpResponse:
        """List the records, filtered; typing in the filter asks for the rows alone."""
        context = {
            "list": self.rows(request),
            "in_trash": "trash" in request.GET,
            "with_problems": "problems" in request.GET,
            "text": request.GET.get("q", "").strip(),
            "project_id": request.GET.get("project", ""),
            "projects": projects_of(request),
            **self.more_in_list(request),
        }
        part = "list_rows" if request.headers.get("HX-Request") else "list"
        return render(request, f"{self._word}s/{part}.html", context)

    def create(self, request: HttpRequest) -> HttpResponse:
        """Make a record with a first script that runs, and open it."""
        project = None
        if project_id := request.POST.get("project", ""):
            project = (
                visible(request.user, Project.objects.alive()).filter(pk=uuid_or_404(project_id)).first()
            )
        assert self.kind.create is not None
        try:
            record = self.kind.create(by=request.user, project=project, name=request.POST.get("name", ""))
        except ValidationError as error:
            messages.error(request, f"The {self._word} was not created. {words_of(error)}")
            return redirect(f"{self._word}-list")
        return self._to("detail", record.pk)

    def detail(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """Show the script in the editor, with its problems and the latest executions."""
        record = self._find(request, key)
        context = self._context(request, record, "script")
        context["problems"] = [problem.snapshot() for problem in scripted.problems_of(record)]
        context["executions"] = list(executions_of(record)[:LATEST_SHOWN])
        context["aside"] = f"{self._word}s/aside.html"
        return render(request, "scripted/script.html", context)

    def schema(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """Show the JSON Schema of the inputs; by POST change it. An empty one means that any inputs will do."""
        record = self._find(request, key)
        context = self._context(request, record, "schema")
        schema = record.input_schema
        context["text"] = "" if schema is None else json.dumps(schema, indent=2, ensure_ascii=False)
        if request.method == "POST":
            context["text"] = text = request.POST.get("input_schema", "")
            try:
                self._save(record, by=request.user, input_schema=json.loads(text) if text.strip() else None)
            except json.JSONDecodeError as error:
                context["error"] = (
                    f"This is not JSON: {error.msg}, line {error.lineno}, column {error.colno}."
                )
            except ValidationError as error:
                context["error"] = words_of(error)
            else:
                messages.success(request, "Saved the schema.")
                return self._to("schema", key)
        return render(request, "scripted/schema.html", context, status=422 if "error" in context else 200)

    def executions(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """List the executions of the record, newest first."""
        record = self._find(request, key)
        context = self._context(request, record, "executions")
        context["list"] = page_by_key(executions_of(record), request.GET, "id", descending=True)
        return render(request, f"{self._word}s/executions.html", context)

    def history(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """List the versions; `?version=N` shows that script and what it changed."""
        record = self._find(request, key)
        context = self._context(request, record, "history")
        versions = record.versions.select_related("created_by")
        context["list"] = page_by_key(versions, request.GET, "number", descending=True, size=30)
        number = request.GET.get("version", "")
        if number.isdecimal():
            context |= _version(record, int(number))
        return render(request, "scripted/history.html", context)

    def details(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """Show the other fields; by POST change them."""
        record = self._find(request, key)
        context = self._context(request, record, "details")
        if request.method == "POST":
            try:
                self._save(record, by=request.user, **self._given(request, record))
            except ValidationError as error:
                context["error"] = words_of(error)
            else:
                messages.success(request, "Saved.")
                return self._to("details", key)
        context["projects"] = projects_of(request)
        context["base_url"] = request.build_absolute_uri("/").rstrip("/")
        context |= self.more_details(request, record)
        status = 422 if "error" in context else 200
        return render(request, f"{self._word}s/details.html", context, status=status)

    def save(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """Save the editor's script: answers its version and problems, or 409 when someone saved meanwhile."""
        record = self._find(request, key)
        given = _script_in(request)
        if given is None:
            return json_error("input_invalid", "Send an object with the script.", 400)
        is_mine = record.version == given.get("version") or given.get("overwrite")
        if not is_mine and given["script"] != record.script:
            who = record.modified_by.username if record.modified_by else "someone"
            words = f"{who} saved version {record.version} meanwhile."
            return json_error("conflict", words, 409, version=record.version)
        try:
            self._save(record, by=request.user, script=given["script"])
        except ValidationError as error:
            return json_error("input_invalid", words_of(error), 400)
        problems = [problem.snapshot() for problem in scripted.problems_of(record)]
        return JsonResponse({"version": record.version, "problems": problems})

    def check(self, request: HttpRequest) -> HttpResponse:
        """Check a script that is being written; stores nothing."""
        given = _script_in(request)
        if given is None:
            return json_error("input_invalid", "Send an object with the script.", 400)
        return JsonResponse({"problems": [problem.snapshot() for problem in check_script(given["script"])]})

    def duplicate(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """Copy a record and open the copy."""
        assert self.kind.duplicate is not None
        copy = self.kind.duplicate(self._find(request, key), by=request.user)
        messages.success(request, f"This is the copy, “{copy.name}”.")
        return self._to("detail", copy.pk)

    def delete(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """Put a record into the trash, with a way back."""
        record = self._find(request, key)
        assert self.kind.trash is not None
        try:
            self.kind.trash(record, by=request.user)
        except ValidationError as error:
            messages.error(request, words_of(error))
            return self._to("detail", key)
        undo = reverse(f"{self._word}-restore", args=[key])
        messages.success(request, f"Moved “{record.name}” to the trash.", extra_tags=f"undo:{undo}")
        return redirect(f"{self._word}-list")

    def restore(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """Take a record out of the trash and open it."""
        record = visible_or_404(request, self.kind.rows(trashed=True), key)
        assert self.kind.restore is not None
        try:
            self.kind.restore(record, by=request.user)
        except ValidationError as error:
            messages.error(request, f"“{record.name}” was not restored. {words_of(error)}")
            return redirect(f"{reverse(f'{self._word}-list')}?trash")
        messages.success(request, f"Restored “{record.name}”.")
        return self._to("detail", key)

    def restore_version(self, request: HttpRequest, key: UUID, number: int) -> HttpResponse:
        """Make an earlier version's script the newest one."""
        record = self._find(request, key)
        try:
            scripted.restore_version(record, number, by=request.user)
        except ObjectDoesNotExist:
            raise Http404 from None
        except ValidationError as error:
            messages.error(request, words_of(error))
            return self._to("history", key)
        messages.success(request, f"Version {record.version} has the script of version {number}.")
        return self._to("detail", key)

    def pages(self) -> list[Page]:
        """Return address, name, view and allowed methods of all these pages."""
        return [
            ("", "list", self.index, _GET),
            ("create/", "create", self.create, _POST),
            ("check/", "check", self.check, _POST),
            ("<uuid:key>/", "detail", self.detail, _GET),
            ("<uuid:key>/schema/", "schema", self.schema, _BOTH),
            ("<uuid:key>/executions/", "executions", self.executions, _GET),
            ("<uuid:key>/history/", "history", self.history, _GET),
            ("<uuid:key>/history/<int:number>/restore/", "version-restore", self.restore_version, _POST),
            ("<uuid:key>/details/", "details", self.details, _BOTH),
            ("<uuid:key>/save/", "save", self.save, _POST),
            ("<uuid:key>/duplicate/", "duplicate", self.duplicate, _POST),
            ("<uuid:key>/delete/", "delete", self.delete, _POST),
            ("<uuid:key>/restore/", "restore", self.restore, _POST),
        ]

    def urlpatterns(self) -> list[URLPattern]:
        """Return the addresses of all these pages."""
        return [
            path(
                address, require_http_methods(methods)(page(_as_function(view))), name=f"{self._word}-{name}"
            )
            for address, name, view, methods in self.pages()
        ]

    # Parts.

    @property
    def _word(self) -> str:
        return self.kind.name

    def _to(self, name: str, key: Any) -> HttpResponse:
        return redirect(f"{self._word}-{name}", key)

    def _save(self, record: Any, **fields: Any) -> None:
        assert self.kind.save is not None
        self.kind.save(record, **fields)

    def _find(self, request: HttpRequest, key: UUID) -> Any:
        rows = self.kind.model._default_manager.select_related(
            "project", "bundle", "modified_by", "created_by"
        )
        return visible_or_404(request, rows, key)

    def _context(self, request: HttpRequest, record: Any, tab: str) -> dict[str, Any]:
        return {
            "record": record,
            self._word: record,
            "word": self._word,
            "base": f"{self._word}s/{self._word}_base.html",
            "project": record.project,
            "tab": tab,
            "may_edit": not record.is_deleted and may(request.user, Operation.UPDATE, record),
            **self.more(request, record),
        }

    def _given(self, request: HttpRequest, record: ScriptRecord) -> dict[str, Any]:
        given = request.POST
        fields: dict[str, Any] = {name: given.get(name, "") for name in ("name", "description")}
        fields["is_readonly"] = "is_readonly" in given
        if (project_id := given.get("project", "")) and project_id != str(record.project_id):
            fields["project"] = visible_or_404(request, Project.objects.alive(), uuid_or_404(project_id))
        return fields | self.read_details(given)


def executions_of(record: ScriptRecord) -> Any:
    """Return the executions of the record, newest first."""
    # Through the relation: flows may not import executions, which come later in the order of apps.
    executions: Any = record.executions.filter(deleted_at=None)  # type: ignore[attr-defined]
    return (
        executions.select_related("created_by", "flow")
        .defer("input_value", "output_value", "waiting_for")
        .order_by("-id")
    )


def projects_of(request: HttpRequest) -> list[Project]:
    """Return the projects that a choice offers."""
    return list(
        visible(request.user, Project.objects.alive()).only("id", "name").order_by("name")[:PROJECTS_OFFERED]
    )


def _as_function(method: Callable[..., Any]) -> Callable[..., Any]:
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return method(request, *args, **kwargs)

    view.__name__, view.__doc__ = method.__name__, method.__doc__
    return view


def _version(record: ScriptRecord, number: int) -> dict[str, Any]:
    versions = record.versions.select_related("script", "created_by")
    version = versions.filter(number=number).first()
    if version is None:
        raise Http404
    before = versions.filter(number__lt=number).order_by("-number").first()
    old = before.script.text.splitlines() if before else []
    changes = list(unified_diff(old, version.script.text.splitlines(), lineterm="", n=3))[2:]
    kinds = {"+": "added", "-": "removed", "@": "place"}
    return {
        "version": version,
        "before": before,
        "changes": [(kinds.get(line[:1], "same"), line) for line in changes],
    }


def _script_in(request: HttpRequest) -> dict[str, Any] | None:
    try:
        body = json.loads(request.body)
    except ValueError:
        return None
    return body if isinstance(body, dict) and isinstance(body.get("script"), str) else None
