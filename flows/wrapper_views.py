"""Pages of wrappers: what they have beyond those of all scripts."""

from typing import Any

from django.http import HttpRequest

from access.permissions import Operation, may_anywhere, visible
from flows.kinds import WRAPPER
from flows.listing import list_scripted
from flows.models import Wrapper
from flows.scripted_views import ScriptedPages
from flows.wrappers import flows_through
from records.paging import KeyPage

FLOWS_SHOWN = 20


class WrapperPages(ScriptedPages):
    """Wrappers: they are not run by themselves; their pages say which flows keep them."""

    kind = WRAPPER

    def rows(self, request: HttpRequest) -> KeyPage[Wrapper]:
        return list_scripted(visible(request.user, Wrapper.objects.all()), request.GET)

    def more_in_list(self, request: HttpRequest) -> dict[str, Any]:
        return {"may_create": may_anywhere(request.user, Operation.CREATE, Wrapper)}

    def more(self, request: HttpRequest, record: Wrapper) -> dict[str, Any]:
        flows = list(visible(request.user, flows_through(record)).only("id", "name")[: FLOWS_SHOWN + 1])
        return {"flows": flows[:FLOWS_SHOWN], "has_more_flows": len(flows) > FLOWS_SHOWN}
