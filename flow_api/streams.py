"""What `sys.stdout` and `sys.stderr` are in a flow process: text that becomes log lines, in order with `this.log`.

The frame puts them in place. Output that goes round them (subprocesses, C code) arrives at the host through a
pipe.
"""

from __future__ import annotations

import codecs
import io
import os
import threading
from typing import Any

from flow_api.channel import MAX_TEXT, Channel, cut_lines


class LogStream(io.TextIOBase):
    """Sends every finished line to the log; what is left at the end is sent by `flush_rest`."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, channel: Channel, name: str, descriptor: int) -> None:
        self.name = f"<{name}>"
        self.mode = "w"
        self.buffer = _Bytes(self)
        self._channel = channel
        self._stream = name
        self._level = "error" if name == "stderr" else "info"
        self._descriptor = descriptor
        self._rest = ""
        self._lock = threading.RLock()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str) -> int:
        """Will send the lines that this text completes."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if not self._channel.is_ours():
            os.write(self._descriptor, text.encode(errors="replace"))
            return len(text)
        with self._lock:
            whole, newline, rest = text.rpartition("\n")
            if newline:
                self._rest, whole = rest, self._rest + whole
                self._send(whole)
            else:
                self._rest += rest
            if len(self._rest) >= MAX_TEXT:
                self.flush_rest()
        return len(text)

    def flush_rest(self) -> None:
        """Will send the line that was begun and not finished."""
        with self._lock:
            if self._rest and self._channel.is_ours():
                rest, self._rest = self._rest, ""
                self._send(rest)

    def _send(self, text: str) -> None:
        self._channel.log_many(cut_lines(text), level=self._level, stream=self._stream)


class _Bytes(io.RawIOBase):
    """`sys.stdout.buffer`: bytes for the same stream."""

    def __init__(self, text: LogStream) -> None:
        self._text = text
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._text.fileno()

    def write(self, data: Any) -> int:
        data = bytes(data)
        self._text.write(self._decoder.decode(data))
        return len(data)
