"""How long ended executions are kept, as projects and flows say: days by outcome, in a field of theirs.

What a flow does not say its project says, and what neither says the workspace's configuration does.
"""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

OUTCOMES = ("success", "error", "cancelled")
MOST_DAYS = 36_500


def check_retention(value: Any) -> None:
    """Raise ValidationError unless `value` gives days for outcomes, as {"success": 7, "error": 0}; 0 keeps for ever."""
    if not isinstance(value, dict):
        raise ValidationError('Give days by outcome, for example {"success": 7, "error": 90}.')
    if unknown := sorted(set(value) - set(OUTCOMES)):
        raise ValidationError(f"There is no outcome {unknown[0]!r}; there are: {', '.join(OUTCOMES)}.")
    for outcome, days in value.items():
        if isinstance(days, bool) or not isinstance(days, int | float) or not 0 <= days <= MOST_DAYS:
            raise ValidationError(
                f"{outcome}: give a number of days from 0 (for ever) to {MOST_DAYS:,}, not {days!r}."
            )


class RetentionField(models.JSONField):
    """The days by outcome that a flow or project says; an empty object says nothing."""

    empty_values = ()  # what is empty is checked, too

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(
            *args, **{"default": dict, "blank": True, "validators": [check_retention], **options}
        )


def read_retention(given: Any) -> dict[str, float]:
    """Return what the fields `retention_<outcome>` of a form say; empty ones are left out. Raises ValidationError."""
    found: dict[str, float] = {}
    for outcome in OUTCOMES:
        text = given.get(f"retention_{outcome}", "").strip()
        if not text:
            continue
        try:
            number = float(text)
        except ValueError:
            raise ValidationError({"retention": f"{outcome}: give a number of days, not {text!r}."}) from None
        found[outcome] = int(number) if number.is_integer() else number
    return found
