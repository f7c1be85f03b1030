"""Every so many seconds, by elapsed time: what clocks on walls show plays no part."""

from datetime import UTC, datetime, timedelta


class Interval:
    """Every `seconds` from `start` on, which is not one of them itself unless `with_start`."""

    def __init__(self, seconds: int, start: datetime, *, with_start: bool = False) -> None:
        self._step = timedelta(seconds=seconds)
        self._first = start.astimezone(UTC) + (timedelta() if with_start else self._step)

    def next_after(self, moment: datetime) -> datetime | None:
        moment = moment.astimezone(UTC)
        if moment < self._first:
            return self._first
        try:
            return self._first + ((moment - self._first) // self._step + 1) * self._step
        except OverflowError:
            return None
