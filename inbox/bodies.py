"""What a message asks, as a form: made of a plain text, of one question, or given by the flow."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from records.forms import check_form
from records.forms.grammar import element_of, word
from records.texts import write_value

LARGEST_BODY = 200_000  # characters of JSON
_SHORT = 120


def make_body(message: Any = None, request: Any = None, body: Any = None) -> dict[str, Any]:
    """Return the form that these make together. Raises ValidationError naming which of them is wrong."""
    for name, text in (("message", message), ("request", request)):
        if text is not None and not isinstance(text, str):
            raise ValidationError({name: "Give text."})
    if isinstance(body, str):
        message, body = (body, None) if message is None else (f"{message}\n\n{body}", None)
    form = dict(_given_form(body))
    properties: dict[str, Any] = {}
    if message:
        properties["message"] = {"element": "markdown", "description": message, "order": -2}
    if request:
        properties |= _question(request)
        form["required"] = ["string", *form.get("required", [])]
    taken = sorted(set(properties) & set(form.get("properties", {})))
    if taken:
        raise ValidationError({"body": f"The form has a field {taken[0]!r} already; leave out `{taken[0]}`."})
    return _with_order({"type": "object", **form, "properties": {**properties, **form.get("properties", {})}})


def is_notice(body: Mapping[str, Any]) -> bool:
    """Tell whether there is nothing to fill in and nothing to choose: only to be read."""
    return all(element_of(each, body) == "markdown" for each in body["properties"].values())


def _given_form(body: Any) -> dict[str, Any]:
    if body is None:
        return {}
    try:
        check_form(body)
    except ValidationError as error:
        raise ValidationError({"body": error.messages}) from error
    if len(write_value(body)) > LARGEST_BODY:
        raise ValidationError({"body": f"A form may have {LARGEST_BODY:,} characters of JSON at most."})
    return dict(body)


def _question(request: str) -> dict[str, Any]:
    answer = {"element": "string", "type": "string", "minLength": 1, "order": 0}
    if len(request) <= _SHORT and "\n" not in request:
        return {"string": {**answer, "label": request}}
    question = {"element": "markdown", "description": request, "order": -1}
    return {"question": question, "string": {**answer, "label": "Answer"}}


def _with_order(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the form with a number on each field: the database does not keep the order of an object's keys."""
    properties = {}
    for number, (key, each) in enumerate(schema["properties"].items(), 1):
        if isinstance(each, dict):
            each = each if word(each, "order") is not None else {**each, "order": number}
            each = _with_order(each) if isinstance(each.get("properties"), dict) else each
        properties[key] = each
    return {**schema, "properties": properties}
