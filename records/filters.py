"""The filter expression of lists, in REST (`?filter=`) and flow_api (`filter_=`), as a Django Q.

    {"field": "name", "op": "like", "value": "daily-%"}
    {"and": [expression, …]}   {"or": [expression, …]}   {"not": expression}

Operators: eq ne lt le gt ge in like ilike is. `like` has the wildcards % and _; `is` takes null, true or false.
Moments without a zone are read as UTC.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from records.identifiers import first_id_at

MAX_DEPTH = 8
MAX_TERMS = 100
MAX_VALUES = 1000
# The id of a record is made a little before its row, perhaps by another machine's clock.
_CLOCKS_DIFFER = timedelta(minutes=10)
_COMPARE = {"lt": "lt", "le": "lte", "gt": "gt", "ge": "gte"}
OPERATORS = ("eq", "ne", *_COMPARE, "in", "like", "ilike", "is")


@models.CharField.register_lookup
@models.TextField.register_lookup
class Like(models.Lookup):
    """SQL LIKE with the caller's own wildcards."""

    lookup_name = "sqllike"
    word = "LIKE"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} {self.word} {right}", (*left_params, *right_params)


@models.CharField.register_lookup
@models.TextField.register_lookup
class Ilike(Like):
    lookup_name = "sqlilike"
    word = "ILIKE"


def as_q(expression: Any, model: type[models.Model], fields: Collection[str], clock: str | None = None) -> Q:
    """Translate an expression on these fields. Raises ValidationError on `filter`, saying what and where.

    `clock` names the field that tells when the id was made: bounds on it bound the id too, which has an index.
    """
    return _Translation(model, fields, clock).translate(expression, "filter", 0)


class _Translation:
    def __init__(self, model: type[models.Model], fields: Collection[str], clock: str | None) -> None:
        self.model, self.fields, self.clock, self.terms = model, fields, clock, 0

    def translate(self, expression: Any, where: str, depth: int) -> Q:
        self.terms += 1
        if depth > MAX_DEPTH or self.terms > MAX_TERMS:
            raise _wrong(where, f"too large: at most {MAX_DEPTH} levels and {MAX_TERMS} terms")
        if not isinstance(expression, dict):
            raise _wrong(where, 'expected an object such as {"field": "name", "op": "eq", "value": "x"}')
        words = {"and", "or", "not"} & expression.keys()
        # A misspelt or additional key must not widen what the filter selects.
        extra = expression.keys() - (words or {"field", "op", "value"})
        if extra or len(words) > 1:
            raise _wrong(
                where, "give either and, or, not, or field with op and value, and nothing else beside it"
            )
        for word in ("and", "or"):
            if word in expression:
                return self._combine(word, expression[word], f"{where}.{word}", depth)
        if "not" in expression:
            return ~self.translate(expression["not"], f"{where}.not", depth + 1)
        return self._term(expression, where)

    def _combine(self, word: str, parts: Any, where: str, depth: int) -> Q:
        if not isinstance(parts, list) or not parts:
            raise _wrong(where, "expected a list of expressions")
        combined = Q()
        for number, part in enumerate(parts):
            term = self.translate(part, f"{where}[{number}]", depth + 1)
            combined = combined & term if word == "and" else combined | term
        return combined

    def _term(self, term: dict[str, Any], where: str) -> Q:
        name, operator, value = term.get("field"), term.get("op", "eq"), term.get("value")
        if "value" not in term:
            raise _wrong(where, "the value is missing; give null to look for what has none")
        if name not in self.fields:
            raise _wrong(
                where, f"no field {name!r} to filter by; there are: {', '.join(sorted(self.fields))}"
            )
        if operator not in OPERATORS:
            raise _wrong(where, f"no operator {operator!r}; there are: {', '.join(OPERATORS)}")
        try:
            return self._lookup(str(name), operator, value)
        except (ValidationError, ValueError, TypeError) as error:
            words = "; ".join(getattr(error, "messages", [str(error)]))
            raise _wrong(where, f"{value!r} does not fit {name} {operator}: {words}") from error

    def _lookup(self, name: str, operator: str, value: Any) -> Q:
        column = self._column(name)
        if operator == "is":
            if value is None:
                return Q(**{f"{name}__isnull": True})
            if isinstance(value, bool) and isinstance(column, models.BooleanField):
                return Q(**{name: value})
            raise ValueError("takes null, and true or false where the field is one of these")
        if isinstance(column, ArrayField):
            raise ValueError("can only be asked whether it is null")
        if operator in ("like", "ilike"):
            if not isinstance(column, models.CharField | models.TextField) or self._is_reference(name):
                raise ValueError("is for text fields")
            if not isinstance(value, str) or (len(value) - len(value.rstrip("\\"))) % 2:
                raise ValueError("takes text that does not end with a lone backslash")
            return Q(**{f"{name}__sql{operator}": str(value)})
        if operator == "in":
            if not isinstance(value, list):
                raise ValueError("takes a list")
            if len(value) > MAX_VALUES:
                raise ValueError(f"takes {MAX_VALUES:,} values at most")
            return Q(**{f"{name}__in": [_fitted(column, part) for part in value]})
        if value is None:
            if operator not in ("eq", "ne"):
                raise ValueError("takes a value")
            return Q(**{f"{name}__isnull": operator == "eq"})
        fitting = _fitted(column, value)
        if operator in _COMPARE:
            return Q(**{f"{name}__{_COMPARE[operator]}": fitting}) & self._id_range(name, operator, fitting)
        return Q(**{name: fitting}) if operator == "eq" else ~Q(**{name: fitting})

    def _id_range(self, name: str, operator: str, moment: Any) -> Q:
        if name != self.clock or not isinstance(moment, datetime) or not 1971 < moment.year < 9000:
            return Q()
        if operator in ("gt", "ge"):
            return Q(pk__gte=first_id_at(moment - _CLOCKS_DIFFER))
        return Q(pk__lt=first_id_at(moment + _CLOCKS_DIFFER))

    def _is_reference(self, name: str) -> bool:
        return any(f.attname == name and f.is_relation for f in self.model._meta.concrete_fields)

    def _column(self, name: str) -> Any:
        try:
            field = self.model._meta.get_field(name)
        except FieldDoesNotExist:
            field = next(f for f in self.model._meta.concrete_fields if f.attname == name)
        return field.target_field if isinstance(field, models.ForeignKey) else field


def _fitted(column: Any, value: Any) -> Any:
    if isinstance(column, models.CharField | models.TextField) and not isinstance(value, str):
        raise ValueError("takes text")
    if isinstance(column, models.IntegerField | models.FloatField | models.BooleanField):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if isinstance(column, models.BooleanField) == is_number:
            raise ValueError("takes true or false" if is_number else "takes a number")
    fitting = column.to_python(value)
    if isinstance(fitting, datetime) and timezone.is_naive(fitting):
        return timezone.make_aware(fitting)
    return fitting


def _wrong(where: str, words: str) -> ValidationError:
    return ValidationError({"filter": f"{where}: {words}"})
