"""How a run ended: every pairing of what we asked, what the frame reported, and how the process died."""

from typing import Any

import pytest

from executions.lifecycle import Reason, Status
from executions.outcome import MAX_MESSAGE, Death, decide_outcome

CLEAN = Death(exit_code=0, signal=None, cpu_seconds=1.5, max_rss_bytes=4096)
KILLED = Death(exit_code=None, signal=9)
OK, BAD, GONE = Status.ENDED_SUCCESS, Status.ENDED_ERROR, Status.ENDED_CANCELLED


def report(status: Any, message: Any = "", **more: Any) -> dict[str, Any]:
    return {"status": status, "message": message, "traceback": None, "line": None, **more}


@pytest.mark.parametrize(
    ("stopped_for", "said", "death", "status", "reason", "words"),
    [
        (None, report("success", "done"), CLEAN, OK, "", "done"),
        (None, report("error", "no luck"), CLEAN, BAD, Reason.REPORTED, "no luck"),
        (None, report("error", "E", traceback="Traceback: E"), CLEAN, BAD, Reason.RAISED, "Traceback: E"),
        (None, report("cancelled", "enough"), CLEAN, GONE, Reason.CANCELLED, "enough"),
        # the frame had its say before the process was killed: it counts
        (None, report("success", "done"), KILLED, OK, "", "done"),
        # what was asked for wins over what was reported
        (Reason.CANCELLED, report("success"), CLEAN, GONE, Reason.CANCELLED, ""),
        (Reason.CANCELLED, None, KILLED, GONE, Reason.CANCELLED, ""),
        (Reason.TIMEOUT, report("success"), CLEAN, BAD, Reason.TIMEOUT, "longer than 2 minutes"),
        (Reason.TIMEOUT, None, KILLED, BAD, Reason.TIMEOUT, "longer than 2 minutes"),
        # no report: the process died
        (None, None, CLEAN, BAD, Reason.CRASHED, "exited with code 0 without a word"),
        (None, None, Death(7, None), BAD, Reason.CRASHED, "code 7"),
        (None, None, KILLED, BAD, Reason.CRASHED, "SIGKILL"),
        (None, None, Death(None, 11), BAD, Reason.CRASHED, "SIGSEGV"),
        (None, None, Death(None, 24), BAD, Reason.CRASHED, "processor time"),
        (None, None, Death(None, 63), BAD, Reason.CRASHED, "signal 63"),
        # a script that forges its report spoils only its own
        (None, report("ENDED_SUCCESS", "?"), CLEAN, BAD, Reason.REPORTED, "?"),
        (None, report(None, None), CLEAN, BAD, Reason.REPORTED, ""),
        (None, {}, CLEAN, BAD, Reason.REPORTED, ""),
        (None, report(["success"], {"a": 1}), CLEAN, BAD, Reason.REPORTED, "a"),
    ],
)
def test_who_is_believed(
    stopped_for: Reason | None,
    said: dict[str, Any] | None,
    death: Death,
    status: Status,
    reason: str,
    words: str,
) -> None:
    outcome = decide_outcome(stopped_for=stopped_for, report=said, death=death, limit_minutes=2)
    assert (outcome.status, outcome.reason) == (status, reason)
    assert words in outcome.message


def test_a_returned_value_is_the_output() -> None:
    outcome = decide_outcome(
        stopped_for=None, report=report("success", output={"a": 1}, has_output=True), death=CLEAN
    )
    assert outcome.has_output and outcome.output == {"a": 1}


def test_what_it_used_is_kept() -> None:
    outcome = decide_outcome(stopped_for=None, report=report("success"), death=CLEAN)
    assert (outcome.cpu_seconds, outcome.peak_memory_bytes) == (1.5, 4096)


def test_words_without_end_are_cut_where_they_matter_least() -> None:
    long = "x" * (MAX_MESSAGE * 2)
    assert (
        len(decide_outcome(stopped_for=None, report=report("error", long), death=CLEAN).message)
        == MAX_MESSAGE
    )
    trace = decide_outcome(
        stopped_for=None, report=report("error", "E", traceback=long + "ValueError: 3"), death=CLEAN
    )
    assert len(trace.message) == MAX_MESSAGE and trace.message.endswith("ValueError: 3")
