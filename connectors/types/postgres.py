"""Carries a statement of a SQLPG connection out: connects, binds the parameters, reads the rows up to the limits.

`sqlpg.run` calls `carry_out`. Each connection opens its own session, in which its statement is one transaction.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing, asynccontextmanager
from typing import Any

import orjson
import psycopg
from psycopg import AsyncConnection, AsyncCursor, AsyncRawCursor

from connectors.types.base import ConnectionFailed, ConnectionTimedOut, Context, InputRefused, Inputs, Result
from connectors.types.postgres_values import as_json, register_values
from connectors.types.sqlpg import PORT, VERBS
from connectors.types.tls import in_memory

MAX_ROWS = 10_000
MAX_BYTES = 10_000_000
CONNECT_SECONDS = 30
TOTAL_SECONDS = 60
_CHUNK = 500
_NO_FILE = "/nonexistent"
# libpq would look into files of the machine, which are not the flow's.
_NOT_OURS = {"passfile": _NO_FILE, "gssencmode": "disable", "target_session_attrs": "any"}


async def carry_out(inputs: Inputs, context: Context) -> Result:
    """Carry the statement out and return its result. Raises ConnectionFailed."""
    verb, statement = _statement(inputs)
    total = inputs.get("total_timeout", TOTAL_SECONDS)
    try:
        async with (
            asyncio.timeout(total),
            _session(inputs, context) as session,
            _cursor(session, inputs) as cursor,
        ):
            return await _WORK[verb](session, cursor, statement, inputs)
    except TimeoutError as error:
        raise ConnectionTimedOut(
            f"The statement took longer than {total:g} seconds (total_timeout)."
        ) from error
    except psycopg.Error as error:
        raise ConnectionFailed(_words(error), _details(error)) from error


def _statement(inputs: Inputs) -> tuple[str, str]:
    given = [verb for verb in VERBS if verb in inputs]
    if len(given) != 1:
        raise InputRefused(f"Give exactly one of {', '.join(VERBS)}, with a statement in SQL.")
    return given[0], inputs[given[0]]


# -- Session ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _session(inputs: Inputs, context: Context) -> AsyncIterator[AsyncConnection[Any]]:
    for name, words in (("host", "name the machine of the database"), ("username", "say as whom to sign in")):
        if not inputs.get(name):
            raise InputRefused(f"{name}: {words}.")
    host, port = inputs["host"], inputs.get("port", PORT)
    addresses = await context.addresses(host, port)
    with ExitStack() as files:  # also for the cancelling of a statement, which is a connection of its own
        params = {
            # The name is what a certificate is checked against; the address is where it goes.
            "host": ",".join([host] * len(addresses)),
            "hostaddr": ",".join(addresses),
            "port": port,
            "user": inputs["username"],
            "password": inputs.get("password", ""),
            "dbname": inputs.get("database") or inputs["username"],
            "connect_timeout": max(1, round(inputs.get("connect_timeout", CONNECT_SECONDS))),
            "application_name": "engine",
            "options": _options(inputs),
            **_tls(inputs.get("tls", {}), files),
            **_NOT_OURS,
        }
        try:
            session = await AsyncConnection.connect(**params, autocommit=True)
        except psycopg.Error as error:
            raise ConnectionFailed(f"{host}:{port}: {_words(error)}") from error
        session.add_notice_handler(lambda notice: context.log(f"{notice.severity}: {notice.message_primary}"))
        register_values(session)
        try:
            yield session
        finally:
            await session.close()


def _options(inputs: Inputs) -> str:
    milliseconds = round(inputs.get("total_timeout", TOTAL_SECONDS) * 1000)
    options = f"-c statement_timeout={milliseconds} -c datestyle=ISO -c intervalstyle=iso_8601"
    return options + (" -c default_transaction_read_only=on" if inputs.get("read_only") else "")


def _tls(tls: Inputs, files: ExitStack) -> dict[str, str]:
    """Return the parameters of libpq, which reads certificates from files only."""
    texts = {
        "sslrootcert": tls.get("ca"),
        "sslcert": tls.get("client_certificate"),
        "sslkey": tls.get("client_key"),
    }
    params = {
        name: files.enter_context(in_memory(text)) if text else _NO_FILE for name, text in texts.items()
    }
    mode = tls.get("mode") or ("verify-full" if tls.get("ca") else "prefer")
    if mode == "verify-ca" and not tls.get("ca"):
        raise InputRefused("tls.ca: verify-ca needs the certificates to trust.")
    if mode == "verify-full" and not tls.get("ca"):
        params["sslrootcert"] = "system"
    return {**params, "sslmode": mode, "sslpassword": tls.get("client_key_password", "")}


def _cursor(session: AsyncConnection[Any], inputs: Inputs) -> AsyncCursor[Any]:
    """Return a cursor for the parameters: $1 with a list, %(name)s with an object."""
    params = inputs.get("params")
    many = params[0] if "executemany" in inputs and isinstance(params, list) and params else params
    return AsyncCursor(session) if isinstance(many, dict) else AsyncRawCursor(session)


# -- Verbs --------------------------------------------------------------------------------------------------


async def _fetch(
    session: AsyncConnection[Any], cursor: AsyncCursor[Any], statement: str, inputs: Inputs
) -> Result:
    rows, names = await _rows(session, cursor, statement, inputs)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConnectionFailed(f"Two columns have the name {twice[0]!r}: give one another name with AS.")
    result: Any = [dict(zip(names, row, strict=True)) for row in rows]
    if "fetchrow" in inputs:
        result = result[0] if result else None
    return Result(
        {"result": result, "rowcount": len(rows)}, f"{len(rows):,} row{'' if len(rows) == 1 else 's'}"
    )


async def _fetchval(
    session: AsyncConnection[Any], cursor: AsyncCursor[Any], statement: str, inputs: Inputs
) -> Result:
    rows, _ = await _rows(session, cursor, statement, inputs)
    value = rows[0][0] if rows and rows[0] else None
    return Result({"result": value, "rowcount": len(rows)}, "1 value" if rows else "no row")


async def _execute(
    session: AsyncConnection[Any], cursor: AsyncCursor[Any], statement: str, inputs: Inputs
) -> Result:
    await cursor.execute(statement, inputs.get("params") or None)
    return _done(cursor)


async def _executemany(
    session: AsyncConnection[Any], cursor: AsyncCursor[Any], statement: str, inputs: Inputs
) -> Result:
    params = inputs.get("params")
    if not isinstance(params, list) or not all(isinstance(each, list | dict) for each in params):
        raise InputRefused("params: executemany takes a list with a list or an object for each time.")
    async with session.transaction():
        await cursor.executemany(statement, params)
    return _done(cursor)


_WORK = {
    "fetch": _fetch,
    "fetchrow": _fetch,
    "fetchval": _fetchval,
    "execute": _execute,
    "executemany": _executemany,
}


def _done(cursor: AsyncCursor[Any]) -> Result:
    status = cursor.statusmessage or ""
    return Result({"result": status, "rowcount": max(cursor.rowcount, 0)}, status)


async def _rows(
    session: AsyncConnection[Any], cursor: AsyncCursor[Any], statement: str, inputs: Inputs
) -> tuple[list[list[Any]], list[str]]:
    """Return the rows (of `fetchrow` and `fetchval` the first) and the names of their columns.

    All are read, as they come, so that the statement is carried out in full; too many or too large undo it.
    """
    rows: list[list[Any]] = []
    names: list[str] = []
    count, size = 0, 0
    most, largest = inputs.get("max_rows", MAX_ROWS), inputs.get("max_bytes", MAX_BYTES)
    async with session.transaction():
        stream: Any = cursor.stream(statement, inputs.get("params") or None, size=_CHUNK)
        async with aclosing(stream):
            async for row in _of_rows(stream):
                count += 1
                if count > most:
                    raise ConnectionFailed(
                        f"There are more than {most:,} rows (max_rows). The statement is undone."
                    )
                if rows and "fetch" not in inputs:
                    continue
                names = names or [column.name for column in cursor.description or []]
                rows.append([as_json(value) for value in row])
                size += len(orjson.dumps(rows[-1]))
                if size > largest:
                    words = (
                        f"The result is larger than {largest:,} bytes (max_bytes). The statement is undone."
                    )
                    raise ConnectionFailed(words)
    return rows, names


async def _of_rows(stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Yield what the stream yields. Raises InputRefused for a statement that gives no rows."""
    try:
        async for row in stream:
            yield row
    except psycopg.ProgrammingError as error:
        if "produce a result" in str(error):
            raise InputRefused("The statement gives no rows: use execute. It is undone.") from error
        raise


def _words(error: psycopg.Error) -> str:
    found = error.diag
    if not found.message_primary:
        return str(error).strip() or type(error).__name__
    words = [f"{found.message_primary} (SQLSTATE {found.sqlstate})", found.message_detail, found.message_hint]
    return "\n".join(word for word in words if word)


def _details(error: psycopg.Error) -> dict[str, Any] | None:
    found = error.diag
    if not found.sqlstate:
        return None
    return {"sqlstate": found.sqlstate, "message": found.message_primary, "detail": found.message_detail}
