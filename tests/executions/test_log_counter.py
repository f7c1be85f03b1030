"""Log lines are numbered without a gap and bounded, and what was left out is told."""

from uuid import uuid4

import pytest

from executions import log
from executions.log import LogCounter


def test_numbers_ascend_from_one() -> None:
    counter = LogCounter(uuid4())
    lines = [counter.line(word) for word in "abc"]
    assert [line.number for line in lines if line] == [1, 2, 3]


def test_numbers_go_on_after_those_that_exist() -> None:
    line = LogCounter(uuid4(), last=41).line("next")
    assert line is not None and line.number == 42


def test_a_full_log_by_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_LINES", 3)
    counter = LogCounter(uuid4())
    kept = [counter.line(str(n)) for n in range(10)]
    assert [line is not None for line in kept] == [True] * 3 + [False] * 7
    closing = counter.closing_line()
    assert closing is not None and closing.number == 4
    assert "7 further lines" in closing.text and (closing.level, closing.stream) == ("warning", "engine")
    assert counter.closing_line() is None, "it is said once"


def test_a_full_log_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_BYTES", 1000)
    counter = LogCounter(uuid4())
    kept = [line for line in (counter.line("x" * 400) for _ in range(10)) if line]
    assert len(kept) == 3
    assert counter.is_full and counter.dropped == 7


def test_nothing_is_said_when_nothing_is_left_out() -> None:
    counter = LogCounter(uuid4())
    counter.line("all there")
    assert counter.closing_line() is None


def test_a_long_line_is_cut() -> None:
    line = LogCounter(uuid4()).line("x" * (log.MAX_LINE + 500))
    assert line is not None and len(line.text) <= log.MAX_LINE + 2 and line.text.endswith("…")


def test_words_of_others_are_made_storable() -> None:
    line = LogCounter(uuid4()).line("a\0b", level="shouting", stream="elsewhere")
    assert line is not None
    assert (line.text, line.level, line.stream) == ("a\ufffdb", "info", "log")
