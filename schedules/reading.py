"""Reads the schedules that are due, with what they point at, by prepared statements: firing many must be quick.

Nothing is checked and nothing is locked here.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import JSONField, Model

from access.models import User
from executions.database import fetch, from_jsonb
from flows.models import Flow
from schedules.models import Schedule, Scheduler

_LONG_TEXTS = {"script", "description"}


def read_schedules(ids: list[UUID]) -> dict[UUID, Schedule]:
    """Return these schedules by id. What many of them share is read once."""
    found: dict[UUID, Schedule] = _read(Schedule, ids)
    for name, model in (("scheduler", Scheduler), ("flow", Flow), ("created_by", User)):
        keys = {schedule.pk: getattr(schedule, f"{name}_id") for schedule in found.values()}
        targets = _read(model, {key for key in keys.values() if key is not None})
        for schedule in found.values():
            schedule._state.fields_cache[name] = targets.get(keys[schedule.pk])
    return found


def _read(model: type[Model], ids: Iterable[UUID]) -> dict[UUID, Any]:
    columns = [column for column in model._meta.concrete_fields if column.name not in _LONG_TEXTS]
    names = [column.attname for column in columns]
    json = [number for number, column in enumerate(columns) if isinstance(column, JSONField)]
    listed = ", ".join(str(column.column) for column in columns)
    found = {}
    for row in fetch(f"SELECT {listed} FROM {model._meta.db_table} WHERE id = ANY(%s)", (list(ids),)):
        values = list(row)
        for number in json:
            values[number] = from_jsonb(values[number])
        record = model.from_db("default", names, values)
        found[record.pk] = record
    return found
