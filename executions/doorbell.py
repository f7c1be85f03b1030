"""What the processes of one cluster share: the host's id, a bell that tells the claimer of a free slot, and flags.

Made before the cluster forks, so that every process of it holds the same ones. None has a lock: a process that is
killed in the middle of it holds up nobody.
"""

import multiprocessing
import os
import select
import weakref


class _Counter:
    """The kernel's counter that can be slept on, for as long as this object lives."""

    def __init__(self) -> None:
        self._counter = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._counter)

    def fileno(self) -> int:
        return self._counter


class Flag(_Counter):
    """Stands in for `multiprocessing.Event`, whose `set` waits for ever for a sleeper that was killed."""

    def set(self) -> None:
        os.eventfd_write(self._counter, 1)

    def is_set(self) -> bool:
        return bool(select.select([self._counter], [], [], 0)[0])


class Doorbell(_Counter):
    """The claimer sleeps on `fileno`; the host rings when a slot is free."""

    def __init__(self) -> None:
        super().__init__()
        self._host_id = multiprocessing.get_context("fork").Value("q", 0, lock=False)

    def ring(self) -> None:
        os.eventfd_write(self._counter, 1)

    def hush(self) -> None:
        """Forget the rings so far."""
        try:
            os.eventfd_read(self._counter)
        except BlockingIOError:
            pass

    @property
    def host_id(self) -> int:
        """The id of this cluster's host, 0 until it is up."""
        return self._host_id.value

    @host_id.setter
    def host_id(self, value: int) -> None:
        self._host_id.value = value
        self.ring()


doorbell: Doorbell | None = None  # set by the cluster before it forks
