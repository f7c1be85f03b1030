"""The doors of a form's drawing: fields to fill in, an answer to read, and the change between fields and text.

What is drawn is in `drawing`, how it looks in templates/forms/. Nothing is checked here.
"""

from collections.abc import Iterable
from typing import Any

from django.core import signing
from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from records.forms.drawing import Drawer, Field, text_of
from records.forms.faults import Fault
from records.forms.grammar import Schema, choices_of, element_of, properties_of, word
from records.forms.naming import AS, RAW, element_id
from records.forms.reading import read_fields
from records.texts import markdown, write_value

_SALT = "records.forms"
_SECRET = "•••"


def render(
    schema: Schema,
    value: Any = None,
    faults: Iterable[Fault] = (),
    prefix: str = "",
    *,
    submit: str | None = None,
    raw: bool = False,
    shows_raw: bool = False,
) -> SafeString:
    """Return the fields of `schema` as HTML, filled with `value` (its defaults when None) and with their faults.

    `submit` adds the schema's own buttons, or one with these words when it has none. `raw` lets people change between
    the fields and the value's text (JSON or YAML); `shows_raw` begins with the text.
    """
    drawer = Drawer(schema, list(faults))
    is_text = shows_raw and raw
    fields = drawer.fields(schema, value if isinstance(value, dict) else None, prefix, (), 0, value is None)
    context: dict[str, Any] = {
        "fields": [each for each in fields if each.element != "submit"],
        "buttons": [each for each in fields if each.element == "submit"] if submit else [],
        "submit": submit,
        "errors": drawer.left_over(),
    }
    if raw:
        shown = _starting(schema) if value is None else value
        context |= {
            "has_raw": True,
            "is_raw": is_text or isinstance(value, str) or not fields,
            "has_fields": bool(fields),
            "as_name": prefix + AS,
            "raw_name": prefix + RAW,
            "raw_id": element_id(prefix + RAW),
            "raw": shown if isinstance(shown, str) else write_value(shown),
            "signed": signing.dumps({"schema": schema, "prefix": prefix}, salt=_SALT, compress=True),
        }
    return render_to_string("forms/form.html", context)


def render_answer(schema: Schema, answer: Any = None) -> SafeString:
    """Return the texts of a form and, if there is one, the answer to it, to be read only."""
    given = answer if isinstance(answer, dict) else {}
    shown: list[Field] = []
    for key, each in properties_of(schema, schema):
        element = element_of(each, schema)
        drawn = Field(element, key, str(word(each, "label") or each.get("title") or key))
        if element == "markdown":
            drawn.text = markdown(text_of(each))
        elif key not in given or (element == "submit" and given[key] is not True):
            continue
        else:
            drawn.value = _SECRET if element == "password" else _readable(given[key], each)
        shown.append(drawn)
    return render_to_string("forms/answer.html", {"fields": shown})


def _readable(value: Any, schema: Schema) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    for choice, words in choices_of(schema):
        if choice == value:
            return words
    return value if isinstance(value, str) else write_value(value)


def switch(post: QueryDict, signed: str) -> SafeString:
    """Return a form again, as it was sent, in its other way: text instead of fields, or fields instead of text.

    Raises signing.BadSignature when the form is none of ours.
    """
    given = signing.loads(signed, salt=_SALT)
    schema, prefix = given["schema"], given["prefix"]
    wants_raw = post.get(prefix + AS) == "raw"
    sent = post.copy()
    sent[prefix + AS] = "form" if wants_raw else "raw"  # what was on show until now
    value, faults = read_fields(schema, sent, prefix)
    return render(schema, value, faults, prefix, raw=True, shows_raw=wants_raw or bool(faults))


def _starting(schema: Schema) -> dict[str, Any]:
    """Return the defaults of a schema as a value to begin with."""
    return {key: each["default"] for key, each in properties_of(schema, schema) if "default" in each}
