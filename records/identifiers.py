"""Time-ordered identifiers (UUIDv7, RFC 9562 §5.7). Used as the primary key of every record.

Ids made by one process ascend strictly, so lists page by key and date filters become id ranges.
"""

import os
import threading
import time
import uuid
from datetime import datetime

_lock = threading.Lock()
_last = 0


def _forget_last() -> None:
    # A forked child must not continue its parent's sequence under a lock another thread may hold.
    global _lock, _last
    _lock = threading.Lock()
    _last = 0


os.register_at_fork(after_in_child=_forget_last)


def uuid7() -> uuid.UUID:
    """Return a new UUIDv7: 48 bits of milliseconds, 12 bits of sub-millisecond order, 62 random bits."""
    global _last
    with _lock:
        # 60-bit clock: milliseconds and 1/4096 of one, kept strictly ascending within this process.
        stamp = max(time.time_ns() * 4096 // 1_000_000, _last + 1)
        _last = stamp
    tail = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    return uuid.UUID(int=((stamp >> 12) << 80) | (0x7 << 76) | ((stamp & 0xFFF) << 64) | (0b10 << 62) | tail)


def as_uuid(text: object) -> uuid.UUID | None:
    """Return the id that this text is, None when it is none."""
    try:
        return uuid.UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None


def first_id_at(moment: datetime) -> uuid.UUID:
    """Return the smallest id that a record made at `moment` can have: the bound of an id range."""
    return uuid.UUID(int=(int(moment.timestamp() * 1000) << 80) | (0x7 << 76) | (0b10 << 62))
