"""A process's lease: its row, the advisory lock that proves it lives, its heartbeat, and an ear for notes.

All on one connection of its own: when the process dies, PostgreSQL drops the lock at once; when it is frozen or
cut off, the heartbeat grows old. Used by hosts, workers and web processes.
"""

import json
import os
import socket
from typing import Any

import psycopg
from django.db import connection

from executions.models import Process

LOCK_CLASS = 0x456E67  # "Eng": the first key of our advisory locks; the second is the process row's id


def open_connection() -> psycopg.Connection[Any]:
    """Return a new autocommit connection of our own to the database that Django uses."""
    known = (
        "dbname",
        "user",
        "password",
        "host",
        "port",
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "options",
    )
    params = {
        key: value for key, value in connection.get_connection_params().items() if key in known and value
    }
    return psycopg.connect(**params, autocommit=True, application_name="engine-lease", connect_timeout=10)


class Lease:
    """Holds a row of `Process` until `release`, or until the process dies."""

    def __init__(
        self,
        role: Process.Role,
        *,
        pid: int | None = None,
        slots: int = 0,
        connections: int = 0,
        channels: tuple[str, ...] = (),
    ) -> None:
        self.connection = open_connection()
        pid = pid or os.getpid()
        row = self.connection.execute(
            "INSERT INTO executions_process (role, pid, machine, slots, connections, isolation, started_at,"
            " heartbeat_at) VALUES (%s, %s, %s, %s, %s, '[]', clock_timestamp(), clock_timestamp()) RETURNING id",
            (str(role), pid, socket.gethostname(), slots, connections),
        ).fetchone()
        assert row is not None
        self.id: int = row[0]
        self.connection.execute("SELECT pg_advisory_lock(%s, %s)", (LOCK_CLASS, self.id))
        for channel in channels:
            self.listen(channel)

    def listen(self, channel: str) -> None:
        self.connection.execute(f'LISTEN "{channel}"')

    def fileno(self) -> int:
        return self.connection.fileno()

    def notes(self) -> list[tuple[str, str]]:
        """Return the notes that have arrived as (channel, payload), without waiting."""
        return [(note.channel, note.payload) for note in self.connection.notifies(timeout=0)]

    def beat(self) -> bool:
        """Renew the heartbeat. False means that the lease was ended by others: stop work at once."""
        cursor = self.connection.execute(
            "UPDATE executions_process SET heartbeat_at = clock_timestamp() WHERE id = %s AND ended_at IS NULL",
            (self.id,),
        )
        return cursor.rowcount == 1

    def describe(self, isolation: list[Any]) -> None:
        """Note which layers of isolation are in force here."""
        self.connection.execute(
            "UPDATE executions_process SET isolation = %s WHERE id = %s", (json.dumps(isolation), self.id)
        )

    def release(self) -> None:
        """End the lease in good order."""
        self.connection.execute(
            "UPDATE executions_process SET ended_at = clock_timestamp() WHERE id = %s", (self.id,)
        )
        self.connection.close()
