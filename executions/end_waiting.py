"""Waiting in a thread of a web process until an execution has ended: what REST does with `?wait=`.

The ear wakes it through the hub; it depends on neither, as it looks for itself, too.
"""

import threading
import time
from uuid import UUID

from django.db import connection

from executions.database import fetch
from executions.hub import hub
from executions.lifecycle import ENDED
from executions.live import ear

_FIRST_LOOK = 0.005  # seconds after which a waiting thread looks for itself


def wait_ended(execution_id: UUID, timeout: float) -> bool:
    """Wait in this thread until the execution has ended, for `timeout` seconds at most; tells whether it has."""
    began = time.monotonic()
    until = began + timeout
    event = threading.Event()
    hub.wait_for(execution_id, event)
    try:
        while True:
            event.clear()
            if _has_ended(execution_id):
                return True
            now = time.monotonic()
            left = until - now
            if left <= 0:
                return False
            if not connection.in_atomic_block:
                connection.close()  # waiting threads must not use up the connections
            # Hosts announce some 50 ms late, all together; a short run is found by looking in growing steps.
            step = max(_FIRST_LOOK, (now - began) / 4)
            event.wait(min(left, step, 2.0 if ear.is_hearing else 0.1))
    finally:
        hub.wait_no_more(execution_id, event)


def _has_ended(execution_id: UUID) -> bool:
    rows = fetch("SELECT status FROM executions_execution WHERE id = %s", (execution_id,))
    return not rows or rows[0][0] in ENDED
