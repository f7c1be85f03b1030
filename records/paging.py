"""Pages of lists, by key: the next page begins behind the last row of this one. No counting, no OFFSET.

HTML views use it; the order column must be unique among the listed rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)
PAGE_SIZE = 50


@dataclass(frozen=True)
class KeyPage(Generic[M]):
    """Rows of one page, and the query strings of the pages around it (empty where there is none)."""

    rows: list[M]
    next: str
    first: str


def page_by_key(
    records: "QuerySet[M]",
    parameters: Mapping[str, Any],
    key: str,
    *,
    descending: bool = False,
    size: int = PAGE_SIZE,
) -> KeyPage[M]:
    """Return the page of `records` behind the row whose key stands in the parameter `after`."""
    after = parameters.get("after", "")
    others = {name: value for name, value in parameters.items() if name != "after"}
    records = records.order_by(f"-{key}" if descending else key)
    if after:
        try:
            records = records.filter(**{f"{key}__{'lt' if descending else 'gt'}": after})
        except (ValidationError, ValueError):
            records = records.none()
    rows = list(records[: size + 1])
    has_more = len(rows) > size
    rows = rows[:size]
    following = "?" + urlencode({**others, "after": str(getattr(rows[-1], key))}) if has_more else ""
    return KeyPage(rows, following, "?" + urlencode(others) if after else "")
