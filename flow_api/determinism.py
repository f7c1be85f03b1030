"""What would differ when a script is run again: the clock and random numbers. Recorded, or drawn from a seed.

The zygote calls `install` before it imports anything that flows use, so that `from time import time` in a library
gets the recording function too. Until `activate` all of it passes through to the real thing.

The clock: every reading of the main thread (`time.time`, `time_ns`, `localtime` and the like without a moment,
`datetime.now/utcnow/today`, `date.today`) goes with the next call into its savepoint, and a replay reads the same.
Random numbers (`random`, `os.urandom`, `secrets`, `uuid4`): the same seed in every attempt, so nothing is stored.
Not covered: clocks for measuring (`monotonic`, `perf_counter`), other threads, `random.Random()` without a seed.
"""

from __future__ import annotations

import datetime as datetime_module
import os
import random
import threading
import time
from hashlib import blake2b
from typing import Any

MAX_READINGS = 1000  # between two calls; of more, the first ones and the last are kept

_real_time_ns = time.time_ns
_real_urandom = os.urandom
_real_sleep = time.sleep
_real_datetime = datetime_module.datetime
_real_date = datetime_module.date


class _Clock:
    """Readings on their way into a savepoint, or out of one."""

    def __init__(self) -> None:
        self.is_active = False
        self.process = 0
        self.thread = 0
        self.readings: list[int] = []  # since the last call, as they will be recorded
        self.recorded: list[int] | None = None  # to be read again; None when nothing is replayed
        self.place = 0
        self.last = 0

    def now_ns(self) -> int:
        if not self.is_active or threading.get_ident() != self.thread or os.getpid() != self.process:
            return _real_time_ns()
        if self.recorded is not None and self.place < len(self.recorded):
            self.last = self.recorded[self.place]
            self.place += 1
            return self.last
        if self.recorded is not None:
            # Past the end of a record the clock runs on from there, so that no loop waits for ever.
            self.last += 1_000_000
            return self.last
        now = _real_time_ns()
        if len(self.readings) < MAX_READINGS:
            self.readings.append(now)
        else:
            self.readings[-1] = now
        return now


_clock = _Clock()


def take_readings() -> list[int]:
    """Will return the readings since the last call, and begin anew."""
    readings, _clock.readings = _clock.readings, []
    return readings


def replay(recorded: list[int] | None) -> None:
    """Will answer the next readings from this record; None ends the replay."""
    _clock.recorded, _clock.place, _clock.readings = recorded, 0, []


class _Stream:
    """Bytes drawn from a seed: BLAKE2b in counter mode, which nobody without the seed can foretell."""

    def __init__(self) -> None:
        self.key = b""
        self.count = 0

    def urandom(self, size: int) -> bytes:
        if not self.key:
            return _real_urandom(size)
        if size < 0:
            raise ValueError("negative argument not allowed")
        drawn = bytearray()
        while len(drawn) < size:
            self.count += 1
            drawn += blake2b(self.count.to_bytes(8, "big"), key=self.key, digest_size=64).digest()
        return bytes(drawn[:size])


_stream = _Stream()


def activate(seed: str) -> None:
    """Will record the clock from now on and draw from this seed; called in the script's own process."""
    _stream.key, _stream.count = bytes.fromhex(seed), 0
    random.seed(int.from_bytes(_stream.urandom(32), "big"))
    _clock.is_active = True
    _clock.process, _clock.thread = os.getpid(), threading.get_ident()


def _time_ns() -> int:
    """time_ns() -> int: nanoseconds since the epoch."""
    return _clock.now_ns()


def _time() -> float:
    """time() -> float: seconds since the epoch."""
    return _clock.now_ns() / 1_000_000_000


def _sleep(seconds: float, /) -> None:
    """sleep(seconds): wait. A replay does not wait again for what it has waited for."""
    if _clock.recorded is None or not _clock.is_active:
        _real_sleep(seconds)


def _with_default_moment(real: Any) -> Any:
    def of_moment(seconds: float | None = None, /) -> Any:
        return real(_time() if seconds is None else seconds)

    of_moment.__name__ = of_moment.__qualname__ = real.__name__
    of_moment.__doc__ = real.__doc__
    return of_moment


class _DateMeta(type):
    """Makes dates that C code returns count as instances of the classes here."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _real_datetime if cls is datetime else _real_date)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _real_datetime if cls is datetime else _real_date)


class date(_real_date, metaclass=_DateMeta):
    __doc__ = _real_date.__doc__
    __module__ = "datetime"

    @classmethod
    def today(cls) -> Any:
        return cls.fromtimestamp(_time())


class datetime(_real_datetime, metaclass=_DateMeta):
    __doc__ = _real_datetime.__doc__
    __module__ = "datetime"

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        nanoseconds = _clock.now_ns()
        seconds, rest = divmod(nanoseconds, 1_000_000_000)
        return cls.fromtimestamp(seconds, tz).replace(microsecond=rest // 1000)

    @classmethod
    def today(cls) -> Any:
        return cls.now()

    @classmethod
    def utcnow(cls) -> Any:
        return cls.now(datetime_module.UTC).replace(tzinfo=None)


def install() -> None:
    """Will put the functions above in the place of the real ones, for everything that is imported later."""
    import uuid

    time.time, time.time_ns = _time, _time_ns
    time.sleep = _sleep  # type: ignore[assignment]
    for name in ("localtime", "gmtime", "ctime"):
        setattr(time, name, _with_default_moment(getattr(time, name)))
    _install_formatting()
    datetime_module.datetime, datetime_module.date = datetime, date  # type: ignore[misc]
    os.urandom = _stream.urandom
    random._urandom = _stream.urandom  # type: ignore[attr-defined]
    uuid._generate_time_safe = None  # type: ignore[attr-defined]


def _install_formatting() -> None:
    real_strftime, real_asctime = time.strftime, time.asctime

    def strftime(pattern: str, moment: Any = None, /) -> str:
        return real_strftime(pattern, time.localtime() if moment is None else moment)

    def asctime(moment: Any = None, /) -> str:
        return real_asctime(time.localtime() if moment is None else moment)

    time.strftime, time.asctime = strftime, asctime
