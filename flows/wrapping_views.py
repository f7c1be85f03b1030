"""The page on which a record is given the wrappers that it keeps: a tab of the pages of flows and of connectors."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from access.pages import words_of
from flows.wrapping import wrappers_form
from records import forms
from records.kinds import Kind


def kept_wrappers(request: HttpRequest, kind: Kind, record: Any, context: dict[str, Any]) -> HttpResponse:
    """Show the wrappers that the record keeps; by POST change them. `context` is of all pages of the record."""
    context = {**context, "record": record, "word": kind.name}
    array = wrappers_form(request.user, record.wrappers)
    value: dict[str, Any] = {"wrappers": record.wrappers}
    faults: list[forms.Fault] = []
    if array is not None:
        form = {
            "type": "object",
            "properties": {"wrappers": {**array, "label": "Wrappers", "help": "The outermost first."}},
        }
        if request.method == "POST":
            value, faults = forms.read(form, request.POST)
            if not faults:
                context["error"] = _save(request, kind, record, value.get("wrappers", []))
                if not context["error"]:
                    return redirect(f"{kind.name}-wrappers", record.pk)
        context["form"] = forms.render(form, value, faults)
    status = 422 if faults or context.get("error") else 200
    return render(request, "wrappers/kept.html", context, status=status)


def _save(request: HttpRequest, kind: Kind, record: Any, wrappers: list[Any]) -> str:
    """Store them; returns what was wrong."""
    assert kind.save is not None
    try:
        kind.save(record, by=request.user, wrappers=wrappers)
    except ValidationError as error:
        return words_of(error)
    messages.success(request, "Saved the wrappers.")
    return ""
