"""What a host has to tell, on its way out: its executions' log lines, and the announcements that they changed.

Both are gathered for a moment and go together: a statement and a note for each would cost more than the work.
"""

from uuid import UUID

from executions.announce import Collected, announce_log
from executions.hosted_run import HostedRun
from executions.log import Line, write_lines
from executions.loop import Loop

COLLECT_SECONDS = 0.05  # log lines and announcements of this long go together


class Scribe:
    """Gathers what one host has to tell, and writes it soon or when it is told to."""

    def __init__(self, loop: Loop, host_id: int) -> None:
        self.collected = Collected()
        self._loop, self.host_id = loop, host_id
        self._lines: list[Line] = []
        self._is_due = False

    def log(self, run: HostedRun, text: str, level: str) -> None:
        """Tell something of our own in the log of this run."""
        line = run.counter.line(text, level=level, stream="engine")
        if line is not None:
            self.write([line])

    def write(self, lines: list[Line]) -> None:
        """Write these lines soon."""
        if lines:
            self._lines += lines
            for line in lines:
                announce_log(line.execution_id, line.number)
            self.flush_soon()

    def write_now(self) -> None:
        write_lines(self.take_lines(), self.host_id)

    def take_lines(self) -> list[Line]:
        """Hand the lines over to the caller, who writes them with the end that they lead to."""
        lines, self._lines = self._lines, []
        return lines

    def forget(self, execution_id: UUID) -> None:
        """Drop the lines of an execution that is no longer ours."""
        self._lines = [line for line in self._lines if line.execution_id != execution_id]

    def has_rung(self) -> bool:
        """Send what was announced meanwhile soon; tells whether something can be claimed since the last time."""
        rings, self.collected.rings = self.collected.rings, False
        if rings or self.collected.changed or self.collected.topics:
            self.flush_soon()  # a call that parked or saved says so without a line in the log
        return rings

    def flush_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.after(COLLECT_SECONDS, self.flush)

    def flush(self) -> None:
        self._is_due = False
        self.write_now()
        self.collected.send()
