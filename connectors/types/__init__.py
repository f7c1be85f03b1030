"""The types of connections: one module for each, made by copying the nearest and adding a line here."""

from functools import cache
from importlib import import_module

from connectors.types.base import ConnectionType

MODULES = {
    "REST": "connectors.types.rest",
}


@cache
def type_of(name: str) -> ConnectionType:
    """Return the type of this name, loading its module when it is first used. Raises LookupError."""
    module: ConnectionType = import_module(MODULES[name])
    return module
