"""What the processes of one cluster share: the host's id and a bell that tells the claimer of a free slot.

Made before the cluster forks, so that every process of it holds the same ones.
"""

import multiprocessing
import os


class Doorbell:
    """The claimer sleeps on `fileno`; the host rings when a slot is free."""

    def __init__(self) -> None:
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._host_id = multiprocessing.get_context("fork").Value("q", 0, lock=False)

    def fileno(self) -> int:
        return self._bell

    def ring(self) -> None:
        os.eventfd_write(self._bell, 1)

    def hush(self) -> None:
        """Forget the rings so far."""
        try:
            os.eventfd_read(self._bell)
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
