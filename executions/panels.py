"""Panels: what other parts show on the page of an execution, above its overview."""

from collections.abc import Callable

from django.http import HttpRequest
from django.utils.safestring import SafeString

from executions.models import Execution

# Draws one <section data-live="its name">, hidden when there is nothing to show. `data-stamp` leaves it alone while the
# stamp is the same, `data-keep` inside of it keeps an element with what was typed into it.
Draw = Callable[[HttpRequest, Execution], SafeString]
_panels: list[Draw] = []


def offer_panel(draw: Draw) -> None:
    """Show this on every execution's overview."""
    _panels.append(draw)


def draw_panels(request: HttpRequest, execution: Execution) -> list[SafeString]:
    """Return the panels for this execution."""
    return [draw(request, execution) for draw in _panels]
