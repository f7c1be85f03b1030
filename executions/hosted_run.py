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

from connectors.masking import Masker
from executions.assignments import Assignment
from executions.database import without_nulls
from executions.flow_calls import Caller
from executions.lifecycle import Reason
from executions.log import MAX_LINE, Line, LogCounter
from executions.outcome import Death
from executions.savepoints import Journal, Request

CHUNK = 256 * 1024
MAX_FRAME = 64 * 1024 * 1024
_LOG_PREFIX = b'{"log"'
_ESCAPED_NUL = b"\\u0000"
_MAX_SEQ = 2**31 - 1
_SHOWN = ("execution.set_output", "message.create")  # calls that show something to people


class ChannelBroken(Exception):
    """The flow process sent something that is no frame; only a script that meddles with its frame does that."""


class HostedRun:
    """A flow process, from our side of the wall."""

    def __init__(
        self,
        key: str,
        assignment: Assignment,
        caller: Caller,
        journal: Journal,
        channel: socket.socket,
        output: int,
        masker: Masker,
    ) -> None:
        self.key, self.assignment, self.caller, self.journal = key, assignment, caller, journal
        self.id: UUID = assignment.id
        self.channel, self.output = channel, output
        self.counter = LogCounter(assignment.id, journal.log_number, masker)
        self._masker = masker
        self.parked_by: Request | None = None  # the call that waits for its answer
        self._turns = 0  # tells timers of earlier waits from the present one
        self.stopped_for: Reason | None = None
        self.cancel_at_next_call = False
        self.pause_requested = False
        self.report: dict[str, Any] | None = None
        self.death: Death | None = None
        self.is_let_go = False  # the row is no longer ours: write nothing more
        self.at_end = False  # nothing more comes on the channel
        self.output_at_end = False
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._raw = bytearray()

    def park(self, request: Request) -> int:
        """Note that this call waits; returns the turn by which `is_parked_in` tells this wait from later ones."""
        self.parked_by = request
        self._turns += 1
        return self._turns

    def is_parked_in(self, turn: int) -> bool:
        is_ours = not self.is_let_go and self.death is None
        return is_ours and self.parked_by is not None and self._turns == turn

    def beginning(self, env_name: str) -> dict[str, Any]:
        """Return what a flow process is told at its start, with the journal when it is resumed."""
        task = self.assignment
        entries, self.journal.entries = self.journal.entries, []
        return {
            "script": task.script,
            "filename": f"{task.name}.py",
            "inputs": task.inputs,
            "execution": {
                "id": task.id,
                "name": task.name,
                "type": task.type,
                "status": task.status,
                "project_id": task.project_id,
                "project_name": task.project_name,
                "parent_id": task.parent_id,
                "flow_id": task.flow_id,
                "is_productive": task.is_productive,
                "input_value": task.inputs,
            },
            "user": {
                "id": task.created_by_id,
                "name": task.user_name,
                "username": task.user_name,
                "email": task.user_email,
            },
            "env_name": env_name,
            "seed": task.seed.hex,
            "journal": entries,
            "log_seq": self.journal.log_seq,
        }

    def request_of(self, frame: dict[str, Any]) -> Request:
        """Return the call in a frame. Raises ChannelBroken when it is none."""
        try:
            call, arguments = str(frame["call"]), dict(frame.get("args") or {})
            if self._masker and (call in _SHOWN or arguments.get("type") == "execution"):
                arguments = self._masker.value(arguments)
            return Request(
                number=int(frame["n"]),
                call=call,
                arguments=arguments,
                line=None if frame.get("line") is None else int(frame["line"]),
                digest=str(frame.get("digest") or ""),
                seen=frame.get("seen"),
                log_seq=int(frame.get("log_seq") or 0),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ChannelBroken(f"not a call: {error}") from error

    def report_of(self, end: Any) -> dict[str, Any]:
        """Return the report in a frame. Raises ChannelBroken when it is none."""
        if not isinstance(end, dict):
            raise ChannelBroken("not a report")
        masked: dict[str, Any] = self._masker.value(end)
        return masked

    def lines_of(self, note: Any) -> list[Line]:
        """Return the log line in a note; none when the log is full. Raises ChannelBroken when it is no note."""
        seq = note.get("seq") if isinstance(note, dict) else None
        if not isinstance(note, dict) or not (seq is None or (type(seq) is int and 0 <= seq <= _MAX_SEQ)):
            raise ChannelBroken("not a log line")
        line = self.counter.line(
            str(note.get("text") or ""),
            level=note.get("level"),
            stream=note.get("stream"),
            data=note.get("data"),
            seq=seq,
        )
        return [] if line is None else [line]

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
            yield without_nulls(decoded) if _ESCAPED_NUL in frame else decoded

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
        return self._lines_in(chunk, is_last=not chunk)

    def _lines_in(self, chunk: bytes, *, is_last: bool) -> list[Line]:
        self._raw += chunk
        *whole, rest = self._raw.split(b"\n")
        if is_last and rest:
            whole, rest = [*whole, rest], bytearray()
        elif len(rest) > MAX_LINE:
            # Cut where no secret is: those that are whole are masked, and one that has begun is in what is kept.
            text = self._masker.text(rest.decode("utf-8", "replace"))
            cut = len(text) - self._masker.longest
            whole, rest = [*whole, bytearray(text[:cut].encode())], bytearray(text[cut:].encode())
        self._raw = bytearray(rest)
        lines = (self.counter.line(text.decode("utf-8", "replace"), stream="stdout") for text in whole)
        return [line for line in lines if line is not None]

    def drain(self) -> Iterator[dict[str, Any] | Line]:
        """Yield what is still on the way from a process that is over, so that nothing is lost."""
        while self.report is None and _bytes_waiting(self.channel.fileno()):
            yield from self.read_frames()
        # Once, which a pipe's content fits in: one that reported may live for a moment, and go on writing.
        if _bytes_waiting(self.output):
            yield from self.read_output()
        yield from self._lines_in(b"", is_last=True)

    def close(self) -> None:
        self.channel.close()
        os.close(self.output)


def _bytes_waiting(descriptor: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))[0])
