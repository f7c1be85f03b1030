"""Answers: values of forms that have buttons of their own. The button that was pressed is part of the answer.

A form's `submit` elements are booleans: the pressed one is true, the others are false. `required` on a button takes
the place of the form's own list. A form without one has a plain OK, which leaves no trace in the answer.
"""

from typing import Any

from django.http import QueryDict

from records.forms.faults import Fault, find_faults
from records.forms.grammar import Schema, element_of, properties_of, required_of
from records.forms.naming import below
from records.forms.reading import read_fields


def read_answer(schema: Schema, post: QueryDict, prefix: str = "") -> tuple[dict[str, Any], list[Fault]]:
    """Return the answer that a POST gives, complete, and what is wrong with it."""
    value, unread = read_fields(schema, post, prefix)
    if unread:
        return value, unread
    pressed = {key: True for key in _buttons(schema) if below(prefix, key) in post}
    return check_answer(schema, value | pressed if isinstance(value, dict) else value)


def check_answer(schema: Schema, value: Any) -> tuple[dict[str, Any], list[Fault]]:
    """Return the answer with all its buttons, and what is wrong with it. What the form does not know is refused."""
    if not isinstance(value, dict):
        return value, find_faults({"type": "object"}, value)
    buttons = _buttons(schema)
    pressed = [key for key in buttons if value.get(key) is True]
    if not pressed and len(buttons) == 1 and value.get(buttons[0]) is None:
        pressed = buttons
    if buttons and len(pressed) != 1:
        names = ", ".join(buttons)
        words = "press one of these: " if not pressed else "press only one of these: "
        return value, [Fault((), "submit", words + names)]
    answer = value | {key: key in pressed for key in buttons}
    return answer, find_faults(_as_pressed(schema, pressed), answer)


def _buttons(schema: Schema) -> list[str]:
    return [key for key, each in properties_of(schema, schema) if element_of(each, schema) == "submit"]


def _as_pressed(schema: Schema, pressed: list[str]) -> Schema:
    """Return the schema as it holds when this button is pressed."""
    fields = dict(properties_of(schema, schema))
    required = required_of(fields[pressed[0]]) if pressed and "required" in fields[pressed[0]] else None
    required = required_of(schema) if required is None else required
    texts = {key for key, each in fields.items() if element_of(each, schema) == "markdown"}
    rules = {key: True if key in texts else _rule_of(schema, key) for key in fields}
    return {
        "additionalProperties": False,
        **schema,
        "properties": rules,
        "required": [key for key in required if key not in texts],
    }


def _rule_of(schema: Schema, key: str) -> Any:
    """Return a property's rule without the list of fields that a button requires."""
    rule = schema["properties"][key]
    if isinstance(rule, dict) and element_of(rule, schema) == "submit":
        return {"type": "boolean"}
    return rule
