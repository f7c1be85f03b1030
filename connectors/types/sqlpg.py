"""SQLPG: one statement to a PostgreSQL database. The inputs and the output are described in docs/connectors.md.

Here are the names of inputs and what they mean; `connectors.types.postgres` carries the statement out.
"""

import re
from typing import Any

from connectors.types.base import Context, Inputs, Result, renamed, schema

TITLE = "SQLPG: a statement to a PostgreSQL database"
VERBS = ("fetch", "fetchrow", "fetchval", "execute", "executemany")
PORT = 5432
WHOLE = frozenset({"params"})
NAMED: frozenset[str] = frozenset()

_SQL: dict[str, Any] = {"type": "string", "minLength": 1, "form-element": "textarea"}
_SECONDS: dict[str, Any] = {"type": "number", "exclusiveMinimum": 0, "maximum": 86_400}
_PEM: dict[str, Any] = {"type": "string", "form-element": "textarea"}

SCHEMA = schema(
    {
        "host": {"type": "string", "minLength": 1, "pattern": "^[^/@,\\s]+$", "order": 1},
        "port": {
            "type": "integer",
            "minimum": 1,
            "maximum": 65535,
            "description": "5432, unless given",
            "order": 2,
        },
        "database": {"type": "string", "description": "As the user, unless given", "order": 3},
        "username": {"type": "string", "order": 4},
        "password": {"type": "string", "writeOnly": True, "order": 5},
        "fetch": {**_SQL, "title": "Fetch rows", "order": 10},
        "fetchrow": {**_SQL, "title": "Fetch one row", "order": 11},
        "fetchval": {**_SQL, "title": "Fetch one value", "order": 12},
        "execute": {**_SQL, "title": "Execute", "order": 13},
        "executemany": {**_SQL, "title": "Execute for many parameters", "order": 14},
        "params": {
            "type": ["array", "object"],
            "title": "Parameters",
            "description": "A list for $1, $2, …; an object for %(name)s; for executemany a list of either",
            "order": 15,
        },
        "read_only": {
            "type": "boolean",
            "description": "The database refuses to change anything",
            "order": 20,
        },
        "max_rows": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1_000_000,
            "description": "10,000, unless given",
            "order": 21,
        },
        "max_bytes": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100_000_000,
            "description": "The largest result; 10,000,000, unless given",
            "order": 22,
        },
        "connect_timeout": {**_SECONDS, "description": "Seconds; 30, unless given", "order": 23},
        "total_timeout": {**_SECONDS, "description": "Seconds, for all of it; 60, unless given", "order": 24},
        "tls": {
            "type": "object",
            "title": "TLS",
            "order": 30,
            "properties": {
                "mode": {
                    "type": "string",
                    "enum": ["disable", "prefer", "require", "verify-ca", "verify-full"],
                    "description": "verify-full where a ca is given, else prefer",
                },
                "ca": {**_PEM, "description": "Certificates of authorities to trust"},
                "client_certificate": _PEM,
                "client_key": {**_PEM, "writeOnly": True},
                "client_key_password": {"type": "string", "writeOnly": True},
            },
            "additionalProperties": False,
        },
    }
)
_HARMLESS = re.compile(r"(\s|\(|--[^\n]*\n|/\*.*?\*/)*(select|values|table|show)\b", re.I | re.DOTALL)


def normalize(inputs: Inputs) -> Inputs:
    found = {name: value for name, value in inputs.items() if name != "schema_version"}
    login = found.get("authentication")
    if isinstance(login, dict):
        del found["authentication"]
        found = {name: value for name, value in login.items() if name != "authentication_method"} | found
    names = {
        "hostname": "host",
        "user": "username",
        "dbname": "database",
        "args": "params",
        "parameters": "params",
    }
    return renamed(found, names)


def targets(inputs: Inputs) -> set[str]:
    host = inputs.get("host")
    return {f"{str(host).lower()}:{inputs.get('port', PORT)}"} if host else set()


def trial(inputs: Inputs) -> Inputs:
    kept = {name: value for name, value in inputs.items() if name not in (*VERBS, "params")}
    return kept | {"fetchval": "SELECT version()", "read_only": True}


def is_idempotent(inputs: Inputs) -> bool:
    if inputs.get("read_only"):
        return True
    return any(_HARMLESS.match(str(inputs.get(verb, ""))) for verb in ("fetch", "fetchrow", "fetchval"))


async def run(inputs: Inputs, context: Context) -> Result:
    from connectors.types.postgres import carry_out  # as in `rest`: loaded where connections are carried out

    return await carry_out(inputs, context)
