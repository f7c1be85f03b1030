"""The flow process's end of its channel: every call and every log line of a script goes through here.

This docstring is the specification of the protocol; the host implements the other end.

One stream socket pair per flow process. A message is four bytes, big endian, that hold the length of what
follows, and then that many bytes of UTF-8 JSON; at most `MAX_MESSAGE_BYTES`. **The child asks, the host
answers; the host never speaks first.** What the host has to say unasked (stop now) it says with a signal.

A request, numbered from 0 without gaps; the next one is sent when the last was answered::

    {"n": 3, "call": "execution.start", "args": {...}, "line": 12, "digest": hex, "seen": [ns], "log_seq": 7}

`line` is the line of the script that called, or null. Every request gets one answer with its number::

    {"n": 3, "value": ...}
    {"n": 3, "error": {"type": "ResourceNotFoundError", "message": "...", "data": {...}}}

`digest` is of the arguments, `seen` the readings of the clock since the call before, `log_seq` the number of log
lines so far: the host writes all of it into the savepoint of the call. An error is raised in the script as the
class of `flow_api.exceptions` with that name. Request 0 is not sent, as the start of the process asks it. Its value is
``{"script", "filename", "inputs", "execution", "user", "env_name", "seed", "journal", "log_seq"}``. The journal is that
of earlier attempts, one entry a call: ``[n, call, line, digest, seen, kind, answer]``, kind being value, error or (the
last one) pending. Recorded calls are answered from it and not sent; a pending call is sent again, and waits on. Log
lines up to `log_seq` are not written again.

Notes are sent when they arise and are not answered. Log lines are numbered from 1 in the order of writing::

    {"log": {"seq": 1, "level": "info", "stream": "log", "text": "...", "data": null, "line": 4}}

`level` is info, warning or error; `stream` is log, stdout or stderr. The last message of a process is its
end::

    {"end": {"status": "success", "message": "", "traceback": null, "line": null, "output": ..., "has_output": true,
    "cpu_seconds": 0.02, "max_rss_bytes": 31457280}}

`status` is success, error, cancelled or replay_mismatch; `output` is there only if `has_output`. The host takes the
execution for ended then, reads nothing more, and kills what is there a second later. A process that leaves without an
end has crashed. The script shares its process with this module and can forge any message of its own run,
and no other: the host believes nothing here that it would not let the script do.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from types import FrameType
from typing import Any, NoReturn

from flow_api import determinism
from flow_api.exceptions import (
    EngineException,
    ExecutionCancel,
    InvalidInputError,
    LifecycleSignal,
    ReplayMismatch,
    error_named,
)
from flow_api.values import clean_text

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_TEXT = 64 * 1024

_LENGTH = struct.Struct("!I")
_READ_SIZE = 64 * 1024
_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class ProtocolError(Exception):
    """The other end sent something that is no message."""


def encode(message: dict[str, Any]) -> bytes:
    """Will return a message as it stands on the wire."""
    body = _encode_json(message).encode()
    if len(body) > MAX_MESSAGE_BYTES:
        raise InvalidInputError(
            f"the values are too large: {len(body):,} bytes, at most {MAX_MESSAGE_BYTES:,}"
        )
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Takes bytes as they come and gives whole messages; raises `ProtocolError` on anything else."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Will yield every message that these bytes complete."""
        self._buffer += data
        start = 0
        try:
            while len(self._buffer) - start >= 4:
                (length,) = _LENGTH.unpack_from(self._buffer, start)
                if length > MAX_MESSAGE_BYTES:
                    raise ProtocolError(f"a message of {length:,} bytes")
                if len(self._buffer) - start - 4 < length:
                    break
                body = bytes(self._buffer[start + 4 : start + 4 + length])
                start += 4 + length
                yield _parse(body)
        finally:
            del self._buffer[:start]


def _parse(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from None
    if not isinstance(message, dict):
        raise ProtocolError("not an object")
    return message


def _value_of(answer: dict[str, Any]) -> Any:
    error = answer.get("error")
    if error is None:
        return answer.get("value")
    raise error_named(error.get("type", ""), error.get("message", ""), error.get("data"))


class Channel:
    """Asks the host, sends notes to it, and holds the signal that ends this execution once there is one."""

    def __init__(self) -> None:
        self._turn = threading.RLock()  # one request at a time
        self._writing = threading.Lock()
        self._main_thread = threading.get_ident()
        self._reset()

    def _reset(self) -> None:
        self.script_filename: str | None = None
        self.signal: LifecycleSignal | None = None
        self._socket: socket.socket | None = None
        self._process = 0
        self._decoder = Decoder()
        self._number = 0
        self._log_number = 0
        self._log_written = 0  # lines up to here were written before this process began
        self._journal: dict[int, list[Any]] = {}
        self._armed = False
        self._shields = 0
        self._deferred = False

    # beginning

    def attach(self, sock: socket.socket) -> None:
        """Will begin anew on this socket, and belong to this process."""
        self._reset()
        self._process = os.getpid()
        self._socket = sock
        self._number = 1

    def begin(self) -> dict[str, Any]:
        """Will return the answer to request 0."""
        begin: dict[str, Any] = _value_of(self._receive(0))
        self.script_filename = begin["filename"]
        self._journal = {entry[0]: entry for entry in begin.get("journal") or ()}
        self._log_written = begin.get("log_seq") or 0
        self._replay_clock()
        return begin

    # asking

    def call(self, name: str, args: dict[str, Any]) -> Any:
        """Will ask the host and return its answer, or raise the error that it names. All calls go through here."""
        self._check_process()
        line = self.script_line()
        with self._turn:
            if self.signal is not None:
                raise self.signal
            body = _encode_json(args)
            digest = blake2b(body.encode(), digest_size=8).hexdigest()
            number, self._number = self._number, self._number + 1
            answer = self._recorded(number, name, line, digest)
            if answer is None:
                self._send(encode(self._request(number, name, args, line, digest)))
                answer = self._receive(number)
        try:
            return _value_of(answer)
        except LifecycleSignal as raised:
            self.end_with(raised)

    def _request(
        self, number: int, name: str, args: dict[str, Any], line: int | None, digest: str
    ) -> dict[str, Any]:
        request = {"n": number, "call": name, "args": args, "line": line, "digest": digest}
        return request | {"seen": determinism.take_readings(), "log_seq": self._log_number}

    # replaying

    def _recorded(self, number: int, name: str, line: int | None, digest: str) -> dict[str, Any] | None:
        """Will return the recorded answer to this call, or None when it has none yet."""
        entry = self._journal.pop(number, None)
        if entry is None:
            return None
        _, recorded_name, recorded_line, recorded_digest, _, kind, answer = entry
        if (name, line) != (recorded_name, recorded_line):
            self.end_with(
                ReplayMismatch(
                    f"replay mismatch: call {number} was {recorded_name} in line {recorded_line} before, and is"
                    f" {name} in line {line} now. A resumed script must make the same calls in the same order:"
                    " let it depend on nothing that changes outside of its inputs, its calls, the clock and random"
                    " numbers. Fork this execution from an earlier savepoint, or run it again."
                )
            )
        self._replay_clock()
        if kind == "pending":
            return None
        if digest != recorded_digest:
            text = f"call {number} ({name}, line {line}) has other arguments than before; its recorded answer stands"
            self.log(text, level="warning")
        return {kind: answer}

    def _replay_clock(self) -> None:
        coming = self._journal.get(self._number)
        determinism.replay(None if coming is None else coming[4] or [])

    def _receive(self, number: int) -> dict[str, Any]:
        assert self._socket is not None
        data = b""
        while True:
            for message in self._decoder.feed(data):
                if message.get("n") != number:
                    raise ProtocolError(f"the answer to {number} has the number {message.get('n')}")
                return message
            data = self._socket.recv(_READ_SIZE)
            if not data:
                self.end_with(ExecutionCancel("the connection to the engine was lost"))

    # telling

    def log(self, text: str | None, *, level: str = "info", stream: str = "log", data: Any = None) -> None:
        """Will send log lines; text that is too long for one becomes several."""
        if text is None or len(text) <= MAX_TEXT:
            self.log_many([text], level=level, stream=stream, data=data)
            return
        pieces: list[str | None] = [text[start : start + MAX_TEXT] for start in range(0, len(text), MAX_TEXT)]
        self.log_many(pieces, level=level, stream=stream, data=data)

    def log_many(self, texts: list[str | None], *, level: str, stream: str, data: Any = None) -> None:
        """Will send several log lines at once; `data` goes with the first."""
        self._check_process()
        line = self.script_line()
        with self.shielded(), self._writing:
            notes = bytearray()
            for text in texts:
                self._log_number += 1
                if self._log_number <= self._log_written:
                    continue
                note = {"seq": self._log_number, "level": level, "stream": stream, "text": text, "data": data}
                notes += encode({"log": note | {"line": line}})
                data = None
            if notes:
                self._write(notes)

    def end(self, report: dict[str, Any]) -> None:
        """Will send the last message of this process."""
        self._send(encode({"end": report}))

    def _send(self, message: bytes) -> None:
        with self.shielded(), self._writing:
            self._write(message)

    def _write(self, data: bytes | bytearray) -> None:
        assert self._socket is not None
        self._socket.sendall(data)

    # ending

    def end_with(self, raised: LifecycleSignal) -> NoReturn:
        """Will raise this signal now and in every later call; the first one wins."""
        if self.signal is None:
            self.signal = raised
        raise self.signal

    def arm(self) -> None:
        """Will let a cancel interrupt the main thread from now on, and raise one that came before."""
        self._armed = True
        if self.signal is not None:
            raise self.signal

    def disarm(self) -> None:
        """Will let nothing interrupt the main thread any more."""
        self._armed = False

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Will hold a cancel back while a message is half written."""
        if threading.get_ident() != self._main_thread:
            yield
            return
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
        if self._deferred and not self._shields and self._armed and self.signal is not None:
            self._deferred = False
            raise self.signal

    def on_term(self, signum: int, frame: FrameType | None) -> None:
        """Will turn SIGTERM into `ExecutionCancel`, once; after `disarm` it is only remembered."""
        if self.signal is not None or os.getpid() != self._process:
            return
        self.signal = ExecutionCancel("the execution was cancelled")
        if self._shields:
            self._deferred = True
        elif self._armed:
            raise self.signal

    # knowing

    def is_ours(self) -> bool:
        """Is this the process that the engine started, and not one that the script forked?"""
        return os.getpid() == self._process

    def script_line(self) -> int | None:
        """Will return the line of the script that is being executed by this thread."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == self.script_filename:
                return frame.f_lineno
            frame = frame.f_back
        return None

    def _check_process(self) -> None:
        if not self.is_ours():
            raise EngineException(
                "flow_api works only in the process that the engine started, not in one forked by it"
            )


def cut_lines(text: str) -> list[str | None]:
    """Will return the lines of a text, cleaned, in pieces that fit a log line."""
    pieces: list[str | None] = []
    for line in clean_text(text).split("\n"):
        pieces += [line[start : start + MAX_TEXT] for start in range(0, len(line), MAX_TEXT)] or [""]
    return pieces
