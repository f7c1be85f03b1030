"""Admin pages that save through an app's operations, and show what those refuse.

The apps' `admin.py` build on it; it knows no table and decides nothing.
"""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest

from access.admin_lists import StaffAdmin
from access.permissions import PermissionRefused

AUDIT = ("created_at", "created_by", "modified_at", "modified_by", "deleted_at", "deleted_by")


class RefusableForm(forms.ModelForm):
    """A form that shows what the operation refused; see `OperatedAdmin.changeform_view`."""

    refusal: ValidationError | None = None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.refusal is not None and hasattr(self.refusal, "error_dict"):
            for name, errors in self.refusal.error_dict.items():
                self.add_error(name if name in self.fields else None, errors)
        elif self.refusal is not None:
            self.add_error(None, self.refusal)
        return cleaned


class OperatedAdmin(StaffAdmin):
    """An admin page that saves through the app's operations: their rules and versions hold here too."""

    form = RefusableForm

    def create(self, request: HttpRequest, fields: dict[str, Any]) -> Any:
        """Make a record with these fields and return it."""
        raise NotImplementedError

    def store(self, request: HttpRequest, record: Any, fields: dict[str, Any]) -> Any:
        """Change these fields of the record and return it."""
        raise NotImplementedError

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        if change:
            # The form has already written into obj; the operation must see the record as it was.
            stored = type(obj)._default_manager.get(pk=obj.pk)
            saved = self.store(request, stored, {name: form.cleaned_data[name] for name in form.changed_data})
        else:
            saved = self.create(request, dict(form.cleaned_data))
        obj.__dict__.update(saved.__dict__)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"refusal": getattr(request, "refusal", None)})

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Show the form again, with what was typed and the reason, when the operation refuses to save."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except PermissionRefused as refusal:
            raise PermissionDenied(str(refusal)) from refusal
        except ValidationError as refusal:
            # Django's own transaction was rolled back by the exception: nothing was half saved.
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, *args, **kwargs)
