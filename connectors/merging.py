"""The inputs of a connection: brought into their one form, parted into open and secret ones, and merged.

Pure functions on values; operations and the host call them.
"""

import re
from collections.abc import Iterator
from typing import Any

from connectors.types.base import ConnectionType, Inputs

Path = tuple[str, ...]
MASK = "•••"
_TELLING = re.compile(
    r"authorization|cookie|token|secret|password|passwd|api[-_]?key|apikey|signature|credential", re.I
)


def merge(below: Any, above: Any, whole: frozenset[str] = frozenset()) -> Any:
    """Return two values as one: objects key by key, of everything else the one `above`.

    The names in `whole`, at the top, are taken as they are above.
    """
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    merged = dict(below)
    for name, value in above.items():
        merged[name] = merge(below[name], value) if name in below and name not in whole else value
    return merged


def patch(below: Inputs, change: Inputs) -> Inputs:
    """Return `below` with a change made to it: what is given is set, what is given as null goes."""
    changed = dict(below)
    for name, value in change.items():
        inner = changed.get(name)
        if value is None:
            changed.pop(name, None)
        elif isinstance(value, dict):
            changed[name] = patch(inner if isinstance(inner, dict) else {}, value)
            if not changed[name]:
                del changed[name]
        else:
            changed[name] = value
    return changed


def part(kind: ConnectionType, inputs: Inputs) -> tuple[Inputs, Inputs]:
    """Return the open inputs and the secret ones, each in its place."""
    return _part(kind, inputs, ())


def _part(kind: ConnectionType, value: Inputs, path: Path) -> tuple[Inputs, Inputs]:
    shown: Inputs = {}
    hidden: Inputs = {}
    for name, each in value.items():
        here = (*path, name)
        if isinstance(each, dict) and not (len(here) == 1 and name in kind.WHOLE):
            rest, inner = _part(kind, each, here)
            if rest or not inner:
                shown[name] = rest
            if inner:
                hidden[name] = inner
        elif each not in (None, "", MASK) and is_secret(kind, here):
            hidden[name] = each
        else:
            shown[name] = each
    return shown, hidden


def is_secret(kind: ConnectionType, path: Path) -> bool:
    """Tell whether what stands at this path is a secret."""
    if len(path) == 2 and path[0] in kind.NAMED and _TELLING.search(path[1]):
        return True
    rule: Any = kind.SCHEMA
    for name in path:
        rule = rule.get("properties", {}).get(name, {}) if isinstance(rule, dict) else {}
    return isinstance(rule, dict) and rule.get("writeOnly") is True


def paths_of(value: Any, path: Path = ()) -> Iterator[str]:
    """Yield the paths of all values inside, such as `authentication.password`."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from paths_of(each, (*path, name))
    else:
        yield ".".join(path)


def texts_of(value: Any) -> Iterator[str]:
    """Yield all texts inside a value, and its numbers as texts."""
    if isinstance(value, dict):
        for each in value.values():
            yield from texts_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts_of(each)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def masked(value: Any) -> Any:
    """Return a value of the same shape that shows that something is there, and not what."""
    return {name: masked(each) for name, each in value.items()} if isinstance(value, dict) else MASK
