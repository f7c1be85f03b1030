"""What callers send, fitted to the columns it is for; doors clean with it before they call an operation.

Only types are looked at. What a value may be is for the models and operations to say.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.dateparse import parse_datetime

_EXAMPLE = "2030-01-31T08:30:00Z"


def clean_body(body: Any, allowed: Collection[str], required: Collection[str] = ()) -> dict[str, Any]:
    """Return the body, an object with no fields but the allowed ones. Raises ValidationError naming each fault."""
    if not isinstance(body, Mapping):
        raise ValidationError("Send a JSON object.")
    faults = {
        name: f"There is no such field to set; there are: {', '.join(sorted(allowed)) or 'none'}."
        for name in body
        if name not in allowed
    }
    faults |= {name: "This field is required." for name in required if body.get(name) is None}
    if faults:
        raise ValidationError(faults)
    return dict(body)


def clean_columns(model: type[models.Model], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values fitted to the model's columns of the same names; others pass unchanged.

    Raises ValidationError naming each field whose value does not fit.
    """
    columns = {column.name: column for column in model._meta.concrete_fields}
    cleaned, faults = {}, {}
    for name, value in values.items():
        try:
            cleaned[name] = clean_value(columns[name], value) if name in columns else value
        except ValidationError as error:
            faults[name] = error.messages
    if faults:
        raise ValidationError(faults)
    return cleaned


def clean_value(column: "models.Field[Any, Any]", value: Any) -> Any:
    """Return `value` as the column holds it. Raises ValidationError; nothing is guessed from another type."""
    if isinstance(column, models.ForeignKey):
        if value is None or isinstance(value, models.Model):
            return value
        return clean_value(column.target_field, value)
    if value is None:
        if column.null:
            return None
        raise ValidationError("This field may not be null.")
    if isinstance(column, models.JSONField):
        return value
    if isinstance(column, models.BooleanField):
        return _typed(value, bool, "Give true or false.")
    if isinstance(column, models.IntegerField):
        return _typed(value, int, "Give a whole number.")
    if isinstance(column, models.FloatField):
        return float(_typed(value, (int, float), "Give a number."))
    if isinstance(column, models.DateTimeField):
        return clean_moment(value)
    text = _typed(value, str, "Give text.")
    return column.to_python(text)


def clean_moment(value: Any) -> datetime:
    """Return a moment given as text with its zone. Raises ValidationError."""
    moment = as_moment(value) if isinstance(value, str) else None
    if moment is None:
        raise ValidationError(f"Give a time with its zone, for example {_EXAMPLE}.")
    return moment


def as_moment(text: str) -> datetime | None:
    """Return the moment in a text with its zone, in UTC; None where there is none, or none that can be stored."""
    try:
        moment = parse_datetime(text)
        # The database knows fewer offsets than Python does.
        return None if moment is None or timezone.is_naive(moment) else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _typed(value: Any, wanted: type | tuple[type, ...], words: str) -> Any:
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ValidationError(words)
    return value
