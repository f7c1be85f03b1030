"""Forms made of JSON Schema: one renderer for messages, inputs of flows, values of connectors and configurations.

    value, faults = read(schema, request.POST, prefix="inputs.")       # of the fields of a POST
    html = render(schema, value, faults, prefix="inputs.")             # the fields, with what was typed and is wrong
    faults = find_faults(schema, value)                                # of a value that came otherwise

`render` draws the fields without <form>, CSRF token and, unless `submit` is given, without buttons. `read` returns
the value that the fields describe, checked against the schema; with faults the value is good for `render` only.
A value that came by REST is checked by `find_faults`, or for a form with buttons by `check_answer`. The grammar (JSON
Schema draft 7 and words of presentation) is in docs/forms.md and, as a schema, in `grammar.META_SCHEMA`; `check_form`
refuses a schema that breaks it.

The forms work without scripts; static/js/ui/schema_forms.js adds rows, hides ways not chosen and knows the time zone.
"""

from records.forms.answers import check_answer, read_answer
from records.forms.faults import Fault, find_faults, in_words
from records.forms.grammar import META_SCHEMA, check_form, has_fields
from records.forms.reading import read
from records.forms.rendering import render, render_answer, switch
from records.forms.secrets import forget_secrets

__all__ = [
    "META_SCHEMA",
    "Fault",
    "check_answer",
    "check_form",
    "find_faults",
    "forget_secrets",
    "has_fields",
    "in_words",
    "read",
    "read_answer",
    "render",
    "render_answer",
    "switch",
]
