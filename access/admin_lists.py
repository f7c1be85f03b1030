"""What every admin list has: staff only, pages by key, no count, actions that say what came of them.

All apps' `admin.py` build on it. It decides nothing: `access.permissions` and the operations do.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from access.pages import words_of
from access.permissions import Operation, PermissionRefused, may, may_anywhere, visible

PAGE_ROWS = 50
_MESSAGES_SHOWN = 5


class KeyPaginator(Paginator):
    """Names the links below a list; the rows themselves are fetched by `KeyChangeList`."""

    template_name = "access/admin_pages.html"


class KeyChangeList(ChangeList):
    """A list, newest first, whose next page begins behind the last row of this one: no COUNT, no OFFSET."""

    def get_results(self, request: HttpRequest) -> None:
        """Fetch one page, and one row more to know whether another follows."""
        rows = self.queryset.order_by("-pk")
        after = request.GET.get(PAGE_VAR)
        if after:
            try:
                rows = rows.filter(pk__lt=after)
            except (ValidationError, ValueError) as error:
                raise IncorrectLookupParameters from error
        found = list(rows[: self.list_per_page + 1])
        self.result_list = found[: self.list_per_page]
        self.next_page = (
            self.get_query_string({PAGE_VAR: found[-2].pk}) if len(found) > self.list_per_page else ""
        )
        self.first_page = self.get_query_string() if after else ""
        # The pages below ask for these. Nothing is counted, so there is no other total than the rows shown.
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True
        self.page_num = 1
        self.paginator = KeyPaginator([], self.list_per_page)


class StaffAdmin(ModelAdmin):
    """An admin page for staff, who may do here what their roles say. Rows are never removed for good, nor counted."""

    list_per_page = PAGE_ROWS
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_disable_select_all = True
    sortable_by = ()
    ordering = ("-pk",)
    list_lookups: tuple[str, ...] = ()  # what the address of the list may filter by, besides its filters

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._is_allowed(request, Operation.READ)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_allowed(request, Operation.READ, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._is_allowed(request, Operation.CREATE)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_allowed(request, Operation.UPDATE, obj)

    def _is_allowed(self, request: HttpRequest, operation: Operation, record: Any = None) -> bool:
        if record is not None:
            return may(request.user, operation, record)
        return may_anywhere(request.user, operation, self.model)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        return visible(request.user, super().get_queryset(request))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeyChangeList

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allow filters that have an index, and no others: a scan of millions of rows helps nobody."""
        filters = {
            part if isinstance(part, str) else getattr(part, "parameter_name", "")
            for part in self.list_filter
        }
        return lookup.removesuffix("__exact").removesuffix("__in") in {*filters, *self.list_lookups}

    def response_action(self, request: HttpRequest, queryset: "QuerySet[Any]") -> HttpResponse | None:
        """Refuse "all matching" here: the Execution Live Monitor does that, in batches."""
        if request.POST.get("select_across") not in (None, "", "0"):
            self.message_user(request, "Choose the rows one by one; nothing was done.", messages.WARNING)
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset)

    def do_to_each(
        self,
        request: HttpRequest,
        rows: Iterable[Any],
        verb: Callable[[Any], Any],
        done: str,
        refused: tuple[type[Exception], ...] = (),
    ) -> None:
        """Do `verb` to each row and say what came of it: how many were `done`, and each refusal with its reason."""
        count, refusals = 0, []
        expected: tuple[type[Exception], ...] = (PermissionRefused, *refused)
        for row in rows:
            try:
                verb(row)
            except ValidationError as error:
                refusals.append(f"{row}: {words_of(error)}")
            except expected as error:
                refusals.append(f"{row}: {error}")
            else:
                count += 1
        if count:
            self.message_user(request, f"{done} {count} {_plural(self.model, count)}.", messages.SUCCESS)
        for words in refusals[:_MESSAGES_SHOWN]:
            self.message_user(request, words, messages.WARNING)
        if len(refusals) > _MESSAGES_SHOWN:
            more = len(refusals) - _MESSAGES_SHOWN
            self.message_user(request, f"{more} more were refused for such reasons.", messages.WARNING)

    def do_to_one(
        self,
        request: HttpRequest,
        object_id: str,
        verb: Callable[[Any], Any],
        done: str,
        then: str = "change",
        refused: tuple[type[Exception], ...] = (),
    ) -> HttpResponse:
        """Do `verb` to the row on whose page a dialog was confirmed, and go to that page or the list."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        self.do_to_each(request, [row], verb, done, refused)
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{then}"
        # The dialog is an htmx form: the whole window goes on, not the dialog.
        return HttpResponse(
            headers={"HX-Redirect": reverse(name, args=[object_id] if then == "change" else [])}
        )


class ReadOnlyAdmin(StaffAdmin):
    """An admin page that only shows."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TrashFilter(admin.SimpleListFilter):
    """What is in use (unless asked otherwise), or what lies in the trash. Only lists hide the trash."""

    title = "trash"
    parameter_name = "trash"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "In the trash"), ("all", "Both")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        in_use, *others = super().choices(changelist)
        yield {**in_use, "display": "In use"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        if self.value() == "all":
            return queryset
        return (
            queryset.exclude(deleted_at=None) if self.value() == "yes" else queryset.filter(deleted_at=None)
        )


def _plural(model: type[Model], count: int) -> str:
    names = model._meta
    return str(names.verbose_name if count == 1 else names.verbose_name_plural)
