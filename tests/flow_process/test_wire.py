"""Messages survive any cut of the stream; what is no message is refused."""

from __future__ import annotations

import struct

import pytest

from flow_api.channel import MAX_MESSAGE_BYTES, MAX_TEXT, Decoder, ProtocolError, cut_lines, encode


def test_messages_come_out_whole_however_the_bytes_arrive() -> None:
    messages = [{"n": number, "value": "ü" * number} for number in range(40)]
    data = b"".join(map(encode, messages))
    for size in (1, 3, 7, 64, len(data)):
        decoder = Decoder()
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        assert [message for piece in pieces for message in decoder.feed(piece)] == messages


def test_a_reader_that_stops_early_loses_nothing() -> None:
    decoder = Decoder()
    assert next(decoder.feed(encode({"n": 1}) + encode({"n": 2}))) == {"n": 1}
    assert list(decoder.feed(b"")) == [{"n": 2}]


@pytest.mark.parametrize(
    "data",
    [struct.pack("!I", 3) + b"abc", struct.pack("!I", 2) + b"[]", struct.pack("!I", MAX_MESSAGE_BYTES + 1)],
    ids=["not JSON", "not an object", "too long"],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Decoder().feed(data))


def test_deep_nesting_is_no_way_to_crash_the_reader() -> None:
    body = b'{"n":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    with pytest.raises(ProtocolError):
        list(Decoder().feed(struct.pack("!I", len(body)) + body))


def test_lines_are_cut_to_fit() -> None:
    assert cut_lines("a\n\nb") == ["a", "", "b"]
    assert [len(piece or "") for piece in cut_lines("x" * (2 * MAX_TEXT + 1))] == [MAX_TEXT, MAX_TEXT, 1]
