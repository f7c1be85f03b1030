"""The flows' door: what a flow puts into its output as answer to the caller of its webhook can be sent."""

from typing import Any

from executions.calls.base import CallRefused
from webhooks.shaping import ShapeRefused, check_shape


def check_answer(shape: Any) -> None:
    """Refuse, here and now, what could not be sent later."""
    try:
        check_shape(shape)
    except ShapeRefused as error:
        raise CallRefused("InvalidInputError", str(error)) from error
