"""How the fields of a form are named: `<prefix>headers.0.name`. Drawing and reading must agree, so both ask here.

What belongs to a field beside its value (`?way`, `?zone`) or to the whole form (`?as`) follows a question mark.
"""

from collections.abc import Mapping
from urllib.parse import quote

WAY = "?way"  # of variants: the number of the one that was chosen
ZONE = "?zone"  # of a moment: the time zone of the person who typed it
AS = "?as"  # of the form: "raw" when its text holds, not its fields
RAW = "?raw"


def step_name(key: str) -> str:
    """Return a property's name as one step of a field's name."""
    return key.replace("%", "%25").replace(".", "%2E").replace("?", "%3F")


def below(name: str, key: str | int) -> str:
    """Return the name of a field inside of the one with this name; a prefix ends with a dot or is empty."""
    step = str(key) if isinstance(key, int) else step_name(key)
    return f"{name}{step}" if not name or name.endswith(".") else f"{name}.{step}"


def numbers_below(name: str, post: Mapping[str, object]) -> list[int]:
    """Return the numbers of the rows that were sent for a list."""
    start = f"{name}."
    found = {key[len(start) :].partition(".")[0].partition("?")[0] for key in post if key.startswith(start)}
    return sorted(int(step) for step in found if step.isdecimal() and len(step) < 6)


def element_id(name: str) -> str:
    """Return the id of the element with this name; it holds no blanks."""
    return "form-" + quote(name, safe="")
