"""Pages of wrappers: what they have beyond those of all scripts."""

from typing import Any

from django.http import HttpRequest

from access.permissions import Operation, may_anywhere, visible
from flows.kinds import WRAPPER
from flows.listing import list_scripted
from flows.models import Wrapper
from flows.scripted_views import ScriptedPages
from flows.wrappers import keepers_of
from records.paging import KeyPage

KEEPERS_SHOWN = 20  # of each type


class WrapperPages(ScriptedPages):
    """Wrappers: they are not run by themselves; their pages say what keeps them."""

    kind = WRAPPER

    def rows(self, request: HttpRequest) -> KeyPage[Wrapper]:
        return list_scripted(visible(request.user, Wrapper.objects.all()), request.GET)

    def more_in_list(self, request: HttpRequest) -> dict[str, Any]:
        return {"may_create": may_anywhere(request.user, Operation.CREATE, Wrapper)}

    def more(self, request: HttpRequest, record: Wrapper) -> dict[str, Any]:
        keepers = []
        for kind, rows in keepers_of(record):
            found = list(visible(request.user, rows).only("id", "name")[: KEEPERS_SHOWN + 1])
            keepers.append(
                {
                    "word": kind.name,
                    "page": f"{kind.name}-wrappers",
                    "rows": found[:KEEPERS_SHOWN],
                    "has_more": len(found) > KEEPERS_SHOWN,
                }
            )
        return {"keepers": keepers}
