"""SQLPG: one statement to a PostgreSQL database. The inputs and the output are described in docs/connectors.md.

Here are the names of inputs and what they mean; `connectors.types.postgres` carries the statement out.
"""

import re
from typing import Any

from connectors.types.base import PEM, Context, Inputs, Result, renamed, schema, seconds

TITLE = "SQLPG: a statement to a PostgreSQL database"
EXAMPLE = "fetch='SELECT $1::int AS n', params=[1]"
SAMPLE = "fetch: SELECT 1 AS one"
VERBS = ("fetch", "fetchrow", "fetchval", "execute", "executemany")
FORM = ("host", "port", "database", "username", "password", "read_only")
MORE = ("max_rows", "max_bytes", "connect_timeout", "total_timeout", "tls")
FORM_RULES: dict[str, Any] = {}
PORT = 5432
WHOLE = frozenset({"params"})
NAMED: frozenset[str] = frozenset()

_SQL: dict[str, Any] = {"type": "string", "minLength": 1, "form-element": "textarea"}
_TLS: dict[str, Any] = {
    "mode": {
        "type": "string",
        "title": "Mode",
        "enum": ["disable", "prefer", "require", "verify-ca", "verify-full"],
        "description": "verify-full where authorities are given, else prefer",
    },
    "ca": {**PEM, "title": "Authorities", "description": "Certificates to trust, in PEM"},
    "client_certificate": {**PEM, "title": "Certificate of the client"},
    "client_key": {**PEM, "title": "Key of the client", "writeOnly": True},
    "client_key_password": {"type": "string", "title": "Password of the key", "writeOnly": True},
}

SCHEMA = schema(
    {
        "host": {"type": "string", "title": "Host", "minLength": 1, "pattern": "^[^/@,\\s]+$"},
        "port": {
            "type": "integer",
            "title": "Port",
            "minimum": 1,
            "maximum": 65535,
            "placeholder": str(PORT),
        },
        "database": {"type": "string", "title": "Database", "description": "As the user, unless given"},
        "username": {"type": "string", "title": "User name"},
        "password": {"type": "string", "title": "Password", "writeOnly": True},
        "fetch": {**_SQL, "title": "Fetch rows"},
        "fetchrow": {**_SQL, "title": "Fetch one row"},
        "fetchval": {**_SQL, "title": "Fetch one value"},
        "execute": {**_SQL, "title": "Execute"},
        "executemany": {**_SQL, "title": "Execute for many parameters"},
        "params": {
            "type": ["array", "object"],
            "title": "Parameters",
            "description": "A list for $1, $2, …; an object for %(name)s; for executemany a list of either",
        },
        "read_only": {
            "type": "boolean",
            "default": False,
            "title": "Read only",
            "description": "The database refuses to change anything",
        },
        "max_rows": {
            "type": "integer",
            "title": "Rows at most",
            "minimum": 1,
            "maximum": 1_000_000,
            "placeholder": "10,000",
        },
        "max_bytes": {
            "type": "integer",
            "title": "Largest result in bytes",
            "minimum": 1,
            "maximum": 100_000_000,
            "placeholder": "10,000,000",
        },
        "connect_timeout": {**seconds(86_400), "title": "Seconds to connect", "placeholder": "30"},
        "total_timeout": {**seconds(86_400), "title": "Seconds in all", "placeholder": "60"},
        "tls": {"type": "object", "title": "TLS", "properties": _TLS, "additionalProperties": False},
    }
)
_HARMLESS = re.compile(r"(\s|\(|--[^\n]*\n|/\*([^*]|\*(?!/))*\*/)*+(select|values|table|show)\b", re.I)


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
