"""Generic REST over a record type: list, create, read, change, trash, restore, duplicate.

Each app's `api.py` names its kind and derives its views from these; `access.rest` adds who may see what.
They translate between HTTP and the kind's verbs, and decide nothing.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from records.cleaning import clean_body, clean_columns, clean_value
from records.kinds import Kind, resolve_references
from records.listing import PARAMETERS, list_page, read_fields, read_query, read_truth
from records.openapi import Described, body_shape, list_of, object_of, one, ref, shape_name

_EMPTIED = object_of(
    {
        "removed": {"type": "integer"},
        "kept": {"type": "array", "items": {"type": "object"}},
        "has_more": {"type": "boolean"},
    }
)


class RecordView(APIView):
    """What the views of one record type share."""

    kind: ClassVar[Kind]
    reads: tuple[str, ...] = ()  # the parameters that the address may have

    def reads_of(self, method: str) -> tuple[str, ...]:
        """Return the parameters that the address may have with this method, if they fit the kind."""
        return self.reads

    def accepted(self, method: str) -> tuple[str, ...]:
        """Return the parameters that the address may have with this method."""
        unfit = set() if self.kind.has_trash else {"trashed"}
        unfit |= set() if self.kind.by == "name" else {"by"}
        return tuple(name for name in self.reads_of(method) if name not in unfit)

    def describe(self, method: str) -> Described | None:
        """Say what the method does, for the description of the API."""
        return None

    def visible(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        """Narrow rows to those the caller may read. `access.rest` answers it."""
        raise NotImplementedError

    def purge(self, record: Any) -> None:
        """Delete a record in the trash for good. `access.rest` answers it."""
        raise NotImplementedError

    def empty_trash(self) -> dict[str, Any]:
        """Delete what is in the trash for good; returns what came of it. `access.rest` answers it."""
        raise NotImplementedError

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.parameters = read_parameters(request, self.accepted(request.method or ""))

    def find(self, key: str, rows: "QuerySet[Any] | None" = None) -> Any:
        """Return the visible record with this id (or name, with `?by=name`). Raises Http404."""
        if rows is None:
            rows = self.kind.rows(trashed=read_truth(self.parameters, "trashed"))
        record = self.visible(rows).filter(**self._selection(key)).first()
        if record is None:
            raise Http404(f"There is no {self.kind.name} {key!r} here.")
        return record

    def _selection(self, key: str) -> dict[str, Any]:
        choices = ("id", "name") if self.kind.by == "name" else ("id",)
        by = self.parameters.get("by") or "id"
        if by not in choices:
            raise ValidationError({"by": f"Give {' or '.join(choices)}, not {by!r}."})
        if by == "name":
            if "\0" in key:
                raise Http404
            return {self.kind.name_field: key.strip()}
        return {"pk": self.clean_key(key)}

    def clean_key(self, key: str) -> Any:
        """Return the id in an address. Raises ValidationError saying what an id looks like."""
        column = self.kind.model._meta.pk
        assert column is not None
        try:
            if column.get_internal_type() == "BigAutoField":
                return (
                    int(key)
                    if key.isascii() and key.isdecimal() and len(key) < 19
                    else clean_value(column, key)
                )
            return clean_value(column, key)
        except ValidationError as error:
            hint = "; add ?by=name to select by name" if self.kind.by == "name" else ""
            raise ValidationError({"id": f"{key!r} is not an id of a {self.kind.name}{hint}."}) from error

    def written(self, request: Request, required: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return the body's fields, cleaned, with `<field>_id` and `<field>_name` resolved to what they name."""
        return self.cleaned(request.data, required)

    def cleaned(self, body: Any, required: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return these fields, cleaned and resolved. Raises ValidationError naming each fault."""
        kind = self.kind
        aliases = {f"{name}_{way}" for name in kind.references for way in ("id", "name")}
        allowed = (set(kind.write) - set(kind.references)) | aliases
        fields = clean_columns(kind.model, clean_body(body, allowed, required))
        return self.resolved(fields)

    def resolved(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Replace `<field>_id` and `<field>_name` by visible records. Raises ValidationError naming the field."""
        for name in self.kind.references:
            if fields.get(f"{name}_id") is not None and fields.get(f"{name}_name") is not None:
                raise ValidationError({f"{name}_name": f"Give {name}_id or {name}_name, not both."})
            for way in ("id", "name"):
                if not isinstance(fields.get(f"{name}_{way}"), str | None):
                    raise ValidationError({f"{name}_{way}": "Give text."})
        return resolve_references(self.kind, fields, self.visible)

    def shown(self, record: Any) -> dict[str, Any]:
        """Return the record as answers show it."""
        fields = read_fields(self.kind, self.parameters, list(self.kind.read))
        return {name: getattr(record, name) for name in fields}

    def shown_after_write(self, record: Any) -> dict[str, Any]:
        """Return the record as the answer to a write shows it."""
        return self.shown(record)

    def created(self, record: Model, answer: dict[str, Any]) -> Response:
        """Return 201 with the address of what was made."""
        base = self.request.path.split(f"/{self.kind.name}", 1)[0]
        return Response(answer, status=201, headers={"Location": f"{base}/{self.kind.name}/{record.pk}"})


class RecordList(RecordView):
    """GET lists, POST creates."""

    reads = PARAMETERS

    def reads_of(self, method: str) -> tuple[str, ...]:
        return {"POST": ("fields",), "DELETE": ("trashed",)}.get(method, self.reads)

    def describe(self, method: str) -> Described | None:
        kind, shape = self.kind, ref(shape_name(self.kind))
        if method == "GET":
            without = (
                f"Without {' and '.join(kind.large)} unless `fields` asks for them." if kind.large else ""
            )
            return Described(
                f"List {kind.model._meta.verbose_name_plural}", list_of(shape), errors=(422,), more=without
            )
        if method == "DELETE":
            more = "Only with `?trashed=true`. What is still needed stays, with the reason, in `kept`."
            return (
                Described("Empty the trash", _EMPTIED, errors=(403,), more=more) if kind.has_trash else None
            )
        if kind.create is None:
            return None
        body, example = body_shape(kind, kind.required), {"name": f"My {kind.name}"}
        return Described(f"Create {one(kind)}", shape, body, 201, example, errors=(403, 409))

    def get(self, request: Request) -> Response:
        query = read_query(self.kind, self.parameters)
        rows = self.visible(self.kind.rows(trashed=query.trashed))
        return Response(list_page(query, rows if query.trashed else outside_trashed_projects(rows)))

    def post(self, request: Request) -> Response:
        fields = self.written(request, self.kind.required)
        assert self.kind.create is not None
        record = self.kind.create(by=request.user, **fields)
        return self.created(record, self.shown_after_write(record))

    def delete(self, request: Request) -> Response:
        if not self.kind.has_trash:
            raise MethodNotAllowed(request.method or "")
        if not read_truth(self.parameters, "trashed"):
            raise ValidationError({"trashed": "Give ?trashed=true: only the trash can be emptied."})
        return Response(self.empty_trash())


class RecordDetail(RecordView):
    """GET reads, PATCH changes the given fields, DELETE puts into the trash, or out of it for good."""

    reads: tuple[str, ...] = ("by", "fields", "trashed")

    def reads_of(self, method: str) -> tuple[str, ...]:
        return {"PATCH": ("by", "fields"), "DELETE": ("by", "trashed")}.get(method, self.reads)

    def describe(self, method: str) -> Described | None:
        kind, shape = self.kind, ref(shape_name(self.kind))
        if method == "GET":
            return Described(f"Read {one(kind)}", shape, errors=(404,))
        if method == "PATCH" and kind.save is not None:
            body, example = body_shape(kind), {"description": "What it is for"}
            return Described(f"Change {one(kind)}", shape, body, example=example, errors=(403, 404, 409))
        if method == "DELETE":
            more = (
                "With `?trashed=true` one that is in the trash is deleted for good." if kind.has_trash else ""
            )
            summary = f"Put {one(kind)} into the trash" if kind.has_trash else f"Delete {one(kind)}"
            return Described(summary, status=204, errors=(403, 404, 409), more=more)
        return None

    def get(self, request: Request, key: str) -> Response:
        return Response(self.shown(self.find(key)))

    def patch(self, request: Request, key: str) -> Response:
        record = self.find(key)
        fields = self.written(request)
        assert self.kind.save is not None
        return Response(self.shown_after_write(self.kind.save(record, by=request.user, **fields)))

    def delete(self, request: Request, key: str) -> Response:
        record = self.find(key)
        if read_truth(self.parameters, "trashed"):
            self.purge(record)
            return Response(status=204)
        assert self.kind.trash is not None
        self.kind.trash(record, by=request.user)
        return Response(status=204)


class RecordRestore(RecordView):
    """POST takes a record out of the trash."""

    reads: tuple[str, ...] = ("by", "fields")

    def describe(self, method: str) -> Described | None:
        kind = self.kind
        return Described(f"Restore {one(kind)}", ref(shape_name(kind)), errors=(403, 404, 409))

    def post(self, request: Request, key: str) -> Response:
        clean_body(request.data, ())
        assert self.kind.restore is not None
        record = self.find(key, self.kind.rows(trashed=True))
        return Response(self.shown(self.kind.restore(record, by=request.user)))


class RecordDuplicate(RecordView):
    """POST copies a record, under the name in the body or a free one."""

    reads: tuple[str, ...] = ("by", "fields")

    def describe(self, method: str) -> Described | None:
        kind, body = self.kind, object_of({"name": {"type": "string"}})
        return Described(
            f"Duplicate {one(kind)}", ref(shape_name(kind)), body, 201, {}, errors=(403, 404, 409)
        )

    def post(self, request: Request, key: str) -> Response:
        given = clean_columns(self.kind.model, clean_body(request.data, ("name",)))
        assert self.kind.duplicate is not None
        record = self.kind.duplicate(self.find(key), by=request.user, name=given.get("name"))
        return self.created(record, self.shown_after_write(record))


def read_parameters(request: Request, known: tuple[str, ...]) -> Mapping[str, str]:
    """Return the parameters of the address. Raises ValidationError naming unknown ones and those given twice."""
    given = request.query_params
    faults = {
        name: f"There is no such parameter here; there are: {', '.join(known) or 'none'}."
        for name in given
        if name not in known
    }
    faults |= {name: "Give this parameter once." for name in given if len(given.getlist(name)) > 1}
    faults |= {name: "Null characters cannot be stored." for name, value in given.items() if "\0" in value}
    if faults:
        raise ValidationError(faults)
    return given.dict()


def outside_trashed_projects(rows: "QuerySet[Any]") -> "QuerySet[Any]":
    """Leave out records whose project is in the trash."""
    fields = {field.name: field for field in rows.model._meta.concrete_fields}
    if "project" not in fields:
        return rows
    projects = fields["project"].related_model._default_manager
    # A subquery, not a join: it is answered once, and the index of the order stays in use.
    return rows.exclude(project_id__in=projects.exclude(deleted_at=None).values("pk"))
