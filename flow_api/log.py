"""How `this.log(...)` turns what it is given into a log line: words as text, structures as data.

`Execution.log` calls it. It never refuses a value: what has no JSON form is logged as its text.
"""

from __future__ import annotations

from typing import Any

from flow_api.channel import Channel
from flow_api.values import clean_text, to_json_or_text

LEVELS = ("info", "warning", "error")


def write_log(channel: Channel, values: tuple[Any, ...], level: str, named: dict[str, Any]) -> None:
    """Will send one log line: strings and numbers as its text, everything else as its data."""
    if level not in LEVELS:  # then it is a value like any other that the script names
        named, level = {"level": level, **named}, "info"
    words = [clean_text(value) for value in values if _is_word(value)]
    structures = [to_json_or_text(value) for value in values if not _is_word(value)]
    data: Any = structures[0] if len(structures) == 1 else structures or None
    if named:
        data = to_json_or_text(named) | ({"values": structures} if structures else {})
    channel.log(" ".join(words) if words else None, level=level, data=data)


def _is_word(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float))
