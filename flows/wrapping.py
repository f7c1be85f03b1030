"""What a list of wrappers names: `[{"name": "retry", "inputs": {"max_tries": 5}}]`, the outermost first.

Flows and connectors keep such lists, and starts bring them. Nothing is started here.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from access.permissions import Operation, visible
from flows.models import Wrapper
from records.forms import find_faults, in_words

MAX_WRAPPERS = 10
_OFFERED = 30  # each is drawn with its own form


@dataclass(frozen=True)
class Wrapping:
    """A wrapper to run through, and its own inputs, with the defaults of its schema."""

    wrapper: Wrapper
    inputs: dict[str, Any]

    def snapshot(self) -> dict[str, Any]:
        return {"name": self.wrapper.name, "inputs": self.inputs}


def find_wrappings(given: Any, *, by: Any = None, kept: Collection[str] = ()) -> list[Wrapping]:
    """Return what `given` names. Without `by`, and for those `kept` before, nobody's permission is asked.

    Raises ValidationError for the field `wrappers`, saying which of them is wrong.
    """
    if not isinstance(given, list | tuple):
        raise _wrong('Give a list, for example [{"name": "retry", "inputs": {"max_tries": 3}}].')
    if len(given) > MAX_WRAPPERS:
        raise _wrong(f"Give {MAX_WRAPPERS} wrappers at most.")
    wrappers = _wrappers([_name(item, place) for place, item in enumerate(given)], by, kept)
    return [
        Wrapping(wrapper, _inputs(wrapper, item, place))
        for place, (wrapper, item) in enumerate(zip(wrappers, given, strict=True))
    ]


def check_wrappers(fields: dict[str, Any], *, by: Any, kept: Collection[Mapping[str, Any]] = ()) -> None:
    """Bring the list of wrappers among `fields` of a record, if it is there, into its stored form.

    `kept` is the list that the record has: whoever changes it may leave in it what they may not run themselves.
    """
    if "wrappers" in fields:
        names = [each["name"] for each in kept]
        wrappings = find_wrappings(fields["wrappers"] or [], by=by, kept=names)
        fields["wrappers"] = [each.snapshot() for each in wrappings]


def wrappers_form(by: Any, kept: Collection[Mapping[str, Any]] = ()) -> dict[str, Any] | None:
    """Return the form of a list of wrappers: those that `by` may run, and those `kept`; None if there are none."""
    rows = visible(by, Wrapper.objects.alive().filter(project__deleted_at=None), Operation.RUN)
    schemas = dict(rows.order_by("name").values_list("name", "input_schema")[:_OFFERED])
    schemas = {each["name"]: None for each in kept} | schemas
    if not schemas:
        return None
    ways = [
        {
            "title": name,
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"const": name},
                "inputs": {"label": "Inputs", **(schema or {"type": "object"})},
            },
        }
        for name, schema in schemas.items()
    ]
    return {"type": "array", "items": {"oneOf": ways}}


def _name(item: Any, place: int) -> str:
    if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
        raise _wrong(f"wrappers[{place}]: Give an object with the name of a wrapper, not {item!r}.")
    unknown = sorted(set(item) - {"name", "inputs"})
    if unknown:
        raise _wrong(f"wrappers[{place}]: There is no field {unknown[0]!r}; there are: inputs, name.")
    return str(item["name"]).strip()


def _wrappers(names: list[str], by: Any, kept: Collection[str]) -> list[Wrapper]:
    rows: QuerySet[Wrapper] = Wrapper.objects.alive().filter(name__in=names).defer("script")
    allowed = rows if by is None else visible(by, rows, Operation.RUN) | rows.filter(name__in=kept)
    found = {wrapper.name: wrapper for wrapper in allowed}
    for place, name in enumerate(names):
        if name not in found:
            more = " that you may run" if by is not None else ""
            raise _wrong(f"wrappers[{place}]: There is no wrapper {name!r}{more}.")
    return [found[name] for name in names]


def _inputs(wrapper: Wrapper, item: Mapping[str, Any], place: int) -> dict[str, Any]:
    inputs = item.get("inputs")
    if not isinstance(inputs, dict | None):
        raise _wrong(f"wrappers[{place}].inputs: Give an object, not {inputs!r}.")
    schema = wrapper.input_schema or {}
    inputs = {**_defaults(schema), **(inputs or {})}
    if faults := find_faults(schema, inputs):
        raise _wrong(*in_words(faults, f"wrappers[{place}].inputs"))
    return inputs


def _defaults(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties")
    rules = properties.items() if isinstance(properties, dict) else ()
    return {name: rule["default"] for name, rule in rules if isinstance(rule, dict) and "default" in rule}


def _wrong(*words: str) -> ValidationError:
    return ValidationError({"wrappers": list(words)})
