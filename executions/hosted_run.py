"""One execution in the hands of its host: its channel, its output and what is known of its end.

Knows bytes and frames; asks no database and decides nothing. The host reads its state and acts.
"""

import fcntl
import os
import socket
import struct
import termios
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson

from executions.flow_calls import Caller, Parked
from executions.hosting import Assignment
from executions.lifecycle import Reason
from executions.log import Line, LogCounter
from executions.outcome import Death

CHUNK = 256 * 1024
MAX_FRAME = 64 * 1024 * 1024
_LOG_PREFIX = b'{"log"'


class ChannelBroken(Exception):
    """The flow process sent something that is no frame; only a script that meddles with its frame does that."""


class HostedRun:
    """A flow process, from our side of the wall."""

    def __init__(self, assignment: Assignment, caller: Caller, channel: socket.socket, output: int) -> None:
        self.assignment, self.caller = assignment, caller
        self.id: UUID = assignment.id
        self.key = str(assignment.id)
        self.channel, self.output = channel, output
        self.counter = LogCounter(assignment.id)
        self.parked: Parked | None = None
        self.pending = 0  # number of the request that waits for its answer
        self.wait_round = 0  # tells timers of earlier waits from the present one
        self.stopped_for: Reason | None = None
        self.report: dict[str, Any] | None = None
        self.death: Death | None = None
        self.is_fenced = False  # the row is no longer ours: write nothing more
        self.at_end = False  # nothing more comes on the channel
        self.output_at_end = False
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._raw = bytearray()

    # -- Channel ------------------------------------------------------------------------------------------

    def read_frames(self) -> Iterator[dict[str, Any]]:
        """Read what has arrived on the channel and yield its frames. Ends quietly at the end of the stream."""
        try:
            chunk = self.channel.recv(CHUNK)
        except BlockingIOError:
            return
        except ConnectionResetError:
            chunk = b""
        self.at_end = not chunk
        self._incoming += chunk
        while True:
            frame = self._next_frame()
            if frame is None:
                return
            # A full log is dropped unread: decoding it would cost the host more than the script.
            if self.counter.is_full and frame.startswith(_LOG_PREFIX):
                self.counter.dropped += 1
                continue
            try:
                decoded = orjson.loads(frame)
            except orjson.JSONDecodeError as error:
                raise ChannelBroken(f"not JSON: {error}") from error
            if not isinstance(decoded, dict):
                raise ChannelBroken("not an object")
            yield decoded

    def _next_frame(self) -> bytes | None:
        if len(self._incoming) < 4:
            return None
        length = int.from_bytes(self._incoming[:4], "big")
        if length > MAX_FRAME:
            raise ChannelBroken(f"a frame of {length:,} bytes; at most {MAX_FRAME:,} are allowed")
        if len(self._incoming) < 4 + length:
            return None
        frame = bytes(self._incoming[4 : 4 + length])
        del self._incoming[: 4 + length]
        return frame

    def send(self, message: dict[str, Any]) -> None:
        """Queue an answer and send as much of it as fits."""
        body = orjson.dumps(message, default=str, option=orjson.OPT_NON_STR_KEYS)
        self._outgoing += len(body).to_bytes(4, "big") + body
        self.flush()

    @property
    def has_unsent(self) -> bool:
        return bool(self._outgoing)

    def flush(self) -> bool:
        """Send what is queued; True when nothing is left."""
        while self._outgoing:
            try:
                sent = self.channel.send(self._outgoing)
            except BlockingIOError:
                return False
            except (BrokenPipeError, ConnectionResetError):
                self._outgoing.clear()  # it died; its end is on the way
                return True
            del self._outgoing[:sent]
        return True

    # -- Output -------------------------------------------------------------------------------------------

    def read_output(self) -> list[Line]:
        """Return the lines that subprocesses and native code wrote to file descriptors 1 and 2."""
        try:
            chunk = os.read(self.output, CHUNK)
        except BlockingIOError:
            return []
        self.output_at_end = not chunk
        self._raw += chunk
        *whole, rest = self._raw.split(b"\n")
        if len(rest) > 64_000 or (not chunk and rest):
            whole, rest = [*whole, rest], bytearray()
        self._raw = bytearray(rest)
        lines = (self.counter.line(text.decode("utf-8", "replace"), stream="stdout") for text in whole)
        return [line for line in lines if line is not None]

    def drain(self) -> Iterator[dict[str, Any] | Line]:
        """Yield what is still on the way from a process that is gone, so that nothing is lost."""
        while _bytes_waiting(self.channel.fileno()):
            yield from self.read_frames()
        while _bytes_waiting(self.output):
            yield from self.read_output()
        yield from self.read_output()

    def close(self) -> None:
        self.channel.close()
        os.close(self.output)


def _bytes_waiting(descriptor: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))[0])
