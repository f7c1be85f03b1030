"""Records of the engine as scripts hold them: a type, a name or id, and verbs that ask the host.

`System` hands them out. A record knows only who it is; every read and write is one call, so it is never
stale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self
from uuid import UUID

from flow_api.exceptions import InvalidInputError
from flow_api.system import NotSet
from flow_api.values import to_json

if TYPE_CHECKING:
    from flow_api.system import System

SELECTED_BY_ID = {"execution", "message", "identity"}

# Fields `<name>_id` that point at another record, and its type; read as a method: `flow.project()`.
POINTERS = {
    "project": "project",
    "bundle": "bundle",
    "flow": "flow",
    "connector": "connector",
    "schedule": "schedule",
    "scheduler": "scheduler",
    "webhook": "webhook",
    "wrapper": "wrapper",
    "role": "role",
    "identity": "identity",
    "user": "user",
    "parent_execution": "execution",
    "root_execution": "execution",
    "created_by": "user",
    "modified_by": "user",
    "deleted_by": "user",
}


class Record:
    """One record, by its type and its name or id. Whether it exists is known when it is first used."""

    RESOURCE: ClassVar[str] = ""

    def __init__(
        self, system: System, select: object = None, *, by: str | None = None, type_name: str = ""
    ) -> None:
        self._system = system
        self._type = type_name or self.RESOURCE
        self._select, self._by = _selection(self._type, select, by)
        self._allow: dict[str, bool] = {}

    @classmethod
    def known(cls, system: System, row: dict[str, Any], *, type_name: str = "") -> Self:
        """Will return the record that the host has just described."""
        return cls(system, row["id"], by="id", type_name=type_name)

    # reading

    def get(self, *fields: str) -> Any:
        """Will return the value of one field, a tuple for several, or a dict of all if none is named."""
        if not fields:
            return self.get_dict()
        if fields == ("id",) and self._by == "id":
            return self._select
        values = self.get_dict(*fields)
        return values[fields[0]] if len(fields) == 1 else tuple(values[field] for field in fields)

    load = get  # the older name

    def get_dict(self, *fields: str) -> dict[str, Any]:
        """Will return these fields, or all, by name."""
        for field in fields:
            if not isinstance(field, str):
                raise InvalidInputError(f"the name of a field is text, not {type(field).__name__}")
        values: dict[str, Any] = self._ask("record.get", fields=list(fields) or None)
        if "id" in values:
            self._select, self._by = values["id"], "id"
        return values

    def exists(self) -> bool:
        """Is there such a record?"""
        return bool(self._ask("record.exists"))

    # writing

    def save(self, init: dict[str, Any] | None = None, **fields: Any) -> Self:
        """Will write these fields; a record that is not there yet is created."""
        row = self._ask("record.save", fields=field_values(self._type, init, fields))
        self._select, self._by = row["id"], "id"
        return self

    def delete(self) -> None:
        """Will move the record to the trash."""
        self._ask("record.delete")

    def restore(self) -> Self:
        """Will take the record out of the trash."""
        self._ask("record.restore")
        return self

    def duplicate(self, name: str | None = None) -> Self:
        """Will store a copy under another name and return it."""
        row = self._ask("record.duplicate", name=to_json(name, "name"))
        return type(self).known(self._system, row, type_name=self._type)

    def clone(self, name: str | None = None, init: dict[str, Any] | None = None, **fields: Any) -> Self:
        """Will store a copy with some fields changed and return it."""
        copy = Record.duplicate(self, name)
        return copy.save(init, **fields) if init or fields else copy

    # other

    def __getattr__(self, name: str) -> Callable[[], Record | None]:
        if name not in POINTERS:
            raise AttributeError(
                f"a record of type {self.__dict__.get('_type')!r} has no {name!r} in this version"
            )

        def pointed_at() -> Record | None:
            found = self.get(f"{name}_id")
            return None if found is None else make(self._system, POINTERS[name], found, by="id")

        return pointed_at

    def _ask(self, call: str, **args: Any) -> Any:
        selection = {"type": self._type, "select": self._select, "by": self._by}
        return self._system._channel.call(call, selection | self._allow | args)

    def __eq__(self, other: object) -> bool:
        mine = (self._type, self._by, self._select)
        return isinstance(other, Record) and mine == (other._type, other._by, other._select)

    def __hash__(self) -> int:
        return hash(self._type)  # name and id may name the same record, and become known only later

    def __repr__(self) -> str:
        return f"<{self._type} {self._select!r}>"


class Flow(Record):
    """A script with a handler, stored under a name."""

    RESOURCE = "flow"


class Project(Record):
    """A project: records that belong together."""

    RESOURCE = "project"


class Setting(Record):
    """A named value, which also serves as a lock: `with system.setting('name').acquire(): ...`."""

    RESOURCE = "setting"

    def acquire(self, timeout: float | None = None) -> Self:
        """Will own the lock of this setting, once it is free; a setting that is not there yet is made.

        Raises `LockTimeoutError` when it is not free within these seconds. It is owned until it was released as often
        as it was acquired, or until this execution ends.
        """
        self._ask("lock.acquire", timeout=to_json(timeout, "timeout"))
        return self

    def release(self) -> None:
        """Will give the lock up; nothing happens when this execution does not own it."""
        self._ask("lock.release")

    def list_append(self, item: object) -> None:
        """Will add an item to the list that this setting holds, without losing what others add."""
        self._ask("setting.append", item=to_json(item, f"{self._select}[]"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


class User(Record):
    """Someone who may sign in."""

    RESOURCE = "user"


def _classes() -> dict[str, type[Record]]:
    from flow_api.execution import Execution
    from flow_api.messages import Message

    return {kind.RESOURCE: kind for kind in (Flow, Project, Setting, User, Execution, Message)}


def make(system: System, type_name: str, select: object, by: str | None = None) -> Record:
    """Will return the record of that type, as its own class if it has one."""
    return _classes().get(type_name, Record)(system, select, by=by, type_name=type_name)


def accessor(system: System, name: str) -> Callable[..., Record] | Callable[..., list[Record]]:
    """Will return what `system.<name>` is: one record for a singular, a list of them for a plural."""
    type_name = _singular(name)

    def one(
        select: object = None,
        cls: type[Record] | None = None,
        init: dict[str, Any] | None = None,
        *,
        by: str | None = None,
        allow_normal: bool = True,
        allow_deleted: bool = False,
        commit: bool = False,
        debug: bool = False,
        **fields: Any,
    ) -> Record:
        record = cls(system, select, by=by, type_name=name) if cls else make(system, name, select, by)
        if allow_deleted or not allow_normal:
            record._allow = {"allow_normal": allow_normal, "allow_deleted": allow_deleted}
        fields.pop("save", None)  # an older parameter: fields are written at once anyway
        written = {field: value for field, value in fields.items() if value is not NotSet}
        if debug:
            system._channel.log(f"system.{name}", data=to_json({**(init or {}), **written}, name))
        return record.save(init, **written) if init or written else record

    def many(
        filter_: dict[str, Any] | None = None,
        *,
        order: str | list[str] | None = None,
        limit: int | None = None,
        **older: Any,
    ) -> list[Record]:
        filter_ = older.pop("filter", filter_)
        if older:
            raise TypeError(f"system.{name}() takes filter_, order and limit, not {', '.join(older)}")
        args = {"type": type_name, "filter": filter_, "order": order, "limit": limit}
        rows = system._channel.call("record.list", to_json(args, f"system.{name}"))
        return [make(system, str(type_name), row["id"], by="id") for row in rows]

    return many if type_name else one


def field_values(type_name: str, init: dict[str, Any] | None, fields: dict[str, Any]) -> dict[str, Any]:
    """Will return the fields to write: those of `init` with the keywords over them."""
    merged = {**(init or {}), **fields}
    return {
        name: to_json(value.get("id") if isinstance(value, Record) else value, f"{type_name}.{name}")
        for name, value in merged.items()
        if value is not NotSet
    }


def _selection(type_name: str, select: object, by: str | None) -> tuple[Any, str]:
    if isinstance(select, Record):
        return select._select, select._by
    if isinstance(select, UUID):
        return str(select), "id"
    if by is None:
        by = "id" if type_name in SELECTED_BY_ID or _is_uuid(select) else "name"
    return to_json(select, "select"), by


def _is_uuid(select: object) -> bool:
    if not isinstance(select, str) or len(select) != 36:
        return False
    try:
        return str(UUID(select)) == select.lower()
    except ValueError:
        return False


def _singular(name: str) -> str | None:
    if name.endswith("ies"):
        return name[:-3] + "y"
    if name.endswith("sses"):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else None
