"""A small event loop: sources that become readable, and timers. One thread; used by the host, knows nothing of it."""

import heapq
import itertools
import selectors
import time
from collections.abc import Callable
from typing import Any

Action = Callable[[], object]


class Loop:
    """Calls back when something is readable or a time has come."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Action]] = []
        self._order = itertools.count()  # timers of the same moment go in the order they were set

    def watch(self, source: Any, action: Action) -> None:
        """Call `action` whenever `source` (a socket or descriptor) is readable."""
        self._selector.register(source, selectors.EVENT_READ, action)

    def watch_writable(self, source: Any, action: Action) -> None:
        """Call `action` also when the watched `source` can be written to."""
        self._selector.modify(source, selectors.EVENT_READ | selectors.EVENT_WRITE, action)

    def watch_readable(self, source: Any, action: Action) -> None:
        """Call `action` only when the watched `source` is readable again."""
        self._selector.modify(source, selectors.EVENT_READ, action)

    def forget(self, source: Any) -> None:
        """Watch `source` no longer, if it was watched."""
        try:
            self._selector.unregister(source)
        except (KeyError, ValueError):
            pass

    def after(self, seconds: float, action: Action) -> None:
        """Call `action` once, in so many seconds."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), action))

    def every(self, seconds: float, action: Action) -> None:
        """Call `action` again and again, so many seconds after it returned."""

        def again() -> None:
            action()
            self.after(seconds, again)

        self.after(seconds, again)

    def turn(self, at_most: float = 1.0) -> bool:
        """Wait for something to happen, `at_most` so many seconds, and do it. Tells whether a source was readable."""
        rest = at_most
        if self._timers:
            rest = min(rest, self._timers[0][0] - time.monotonic())
        readable = self._selector.select(max(rest, 0.0))
        for key, _events in readable:
            key.data()
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
        return bool(readable)
