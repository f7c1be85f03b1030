"""What arrives on a flow process's channel: whole frames, halves, garbage, and far too much."""

import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import orjson
import pytest

from connectors.masking import Masker
from executions.hosted_run import MAX_FRAME, ChannelBroken, HostedRun
from executions.log import Line
from executions.savepoints import Journal


def frame(message: Any) -> bytes:
    body = orjson.dumps(message)
    return len(body).to_bytes(4, "big") + body


class Wire:
    """A hosted run and the far ends of its channel and output."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.output_read, self.output_write = os.pipe()
        ours.setblocking(False)
        os.set_blocking(self.output_read, False)
        assignment = cast(Any, SimpleNamespace(id=uuid4()))
        self.run = HostedRun("key", assignment, cast(Any, None), Journal(), ours, self.output_read, Masker())

    def read(self) -> list[dict[str, Any]]:
        return list(self.run.read_frames())


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.run.close()
    made.theirs.close()
    try:
        os.close(made.output_write)
    except OSError:
        pass


def test_whole_frames(wire: Wire) -> None:
    wire.theirs.sendall(frame({"a": 1}) + frame({"b": 2}))
    assert wire.read() == [{"a": 1}, {"b": 2}]


def test_a_frame_that_comes_byte_by_byte(wire: Wire) -> None:
    got = []
    for byte in frame({"call": "x", "n": 1, "args": {}}):
        wire.theirs.sendall(bytes([byte]))
        got += wire.read()
    assert got == [{"call": "x", "n": 1, "args": {}}]


def test_a_frame_and_a_half(wire: Wire) -> None:
    second = frame({"b": "x" * 100})
    wire.theirs.sendall(frame({"a": 1}) + second[:50])
    assert wire.read() == [{"a": 1}]
    assert wire.read() == [], "nothing has come"
    wire.theirs.sendall(second[50:])
    assert wire.read() == [{"b": "x" * 100}]


def test_the_end_of_the_stream(wire: Wire) -> None:
    wire.theirs.sendall(frame({"a": 1}))
    wire.theirs.close()
    assert wire.read() == [{"a": 1}] and not wire.run.at_end
    assert wire.read() == [] and wire.run.at_end


def test_an_oversize_frame_is_refused_before_it_comes(wire: Wire) -> None:
    wire.theirs.sendall((MAX_FRAME + 1).to_bytes(4, "big"))
    with pytest.raises(ChannelBroken, match="at most"):
        wire.read()


@pytest.mark.parametrize(
    "garbage", [b"no json", b"[1, 2]", b'"word"', b"null", b"", b"\xff\xfe", b'{"a": NaN}']
)
def test_garbage_is_named(wire: Wire, garbage: bytes) -> None:
    wire.theirs.sendall(len(garbage).to_bytes(4, "big") + garbage)
    with pytest.raises(ChannelBroken):
        wire.read()


def test_answers_to_one_who_does_not_read_are_kept(wire: Wire) -> None:
    big = {"n": 1, "value": "x" * 4_000_000}
    wire.run.send(big)
    assert wire.run.has_unsent
    got = bytearray()
    while len(got) < len(frame(big)):
        got += wire.theirs.recv(1 << 20)
        wire.run.flush()
    assert bytes(got) == frame(big) and not wire.run.has_unsent


def test_answers_to_one_who_is_gone_are_dropped(wire: Wire) -> None:
    wire.theirs.close()
    wire.run.send({"n": 1, "value": 2})
    assert not wire.run.has_unsent


def test_log_frames_are_dropped_unread_when_the_log_is_full(wire: Wire) -> None:
    wire.run.counter.bytes = 1 << 40
    wire.theirs.sendall(frame({"log": {"text": "more"}}) * 3 + frame({"end": {"status": "success"}}))
    assert wire.read() == [{"end": {"status": "success"}}]
    assert wire.run.counter.dropped == 3


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def test_raw_output_becomes_lines(wire: Wire) -> None:
    os.write(wire.output_write, b"one\ntwo\nthr")
    assert texts(wire.run.read_output()) == ["one", "two"]
    os.write(wire.output_write, b"ee\n\xff\n")
    assert texts(wire.run.read_output()) == ["three", "\ufffd"]


def test_raw_output_without_line_ends_is_bounded(wire: Wire) -> None:
    found: list[Line] = []
    for _ in range(10):
        os.write(wire.output_write, b"x" * 32_000)
        found += wire.run.read_output()
    assert len(found) > 0 and max(len(line.text) for line in found) <= 128_000


def test_what_a_dead_process_left_on_the_way_is_not_lost(wire: Wire) -> None:
    os.write(wire.output_write, b"last words")
    wire.theirs.sendall(frame({"log": {"text": "a"}}) * 500 + frame({"end": {"status": "success"}}))
    wire.theirs.close()
    os.close(wire.output_write)
    pieces = list(wire.run.drain())
    assert [piece["log"]["text"] for piece in pieces if isinstance(piece, dict) and "log" in piece] == [
        "a"
    ] * 500
    assert {"end": {"status": "success"}} in pieces
    assert texts([piece for piece in pieces if isinstance(piece, Line)]) == ["last words"]
