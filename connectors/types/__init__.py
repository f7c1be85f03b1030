"""The types of connections: one module for each, made by copying the nearest and adding a line here."""

from functools import cache
from importlib import import_module

from connectors.types.base import ConnectionType

# Modules are loaded when they are first used: each brings the library of its protocol.
MODULES = {
    "REST": "connectors.types.rest",
    "SQLPG": "connectors.types.sqlpg",
}


@cache
def type_of(name: str) -> ConnectionType:
    """Return the type of this name. Raises LookupError."""
    module: ConnectionType = import_module(MODULES[name])
    return module
