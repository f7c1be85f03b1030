"""How a run ended, decided on our side of the wall from three witnesses: what we asked, what the frame reported,
and how the process died. Pure: no database, no clock. A script that tampers with its frame spoils only its report.
"""

import signal
from dataclasses import dataclass
from typing import Any

from executions.lifecycle import Reason, Status
from executions.moves import Outcome

MAX_MESSAGE = 64_000
_MOST = 1 << 50  # seconds or bytes: more is nonsense, and no column holds everything


@dataclass(frozen=True)
class Death:
    """How the process ended: exit code, or the signal that killed it, and what it used."""

    exit_code: int | None
    signal: int | None
    cpu_seconds: float = 0.0
    max_rss_bytes: int = 0
    error: str | None = None  # why it could not even be started

    @classmethod
    def reported(cls, report: dict[str, Any]) -> "Death":
        """Return the death of a process that is about to exit, by its own word."""
        cpu, memory = report.get("cpu_seconds"), report.get("max_rss_bytes")
        return cls(
            exit_code=0,
            signal=None,
            cpu_seconds=cpu if isinstance(cpu, float) and 0 <= cpu < _MOST else 0.0,
            max_rss_bytes=memory if isinstance(memory, int) and 0 <= memory < _MOST else 0,
        )


def decide_outcome(
    *,
    stopped_for: Reason | None,
    report: dict[str, Any] | None,
    death: Death,
    limit_minutes: float | None = None,
) -> Outcome:
    """Return the outcome of a run whose process is gone.

    `stopped_for` is why the host stopped it (CANCELLED, TIMEOUT), None when it did not.
    """
    used: dict[str, Any] = {"cpu_seconds": death.cpu_seconds, "peak_memory_bytes": death.max_rss_bytes}
    if stopped_for == Reason.CANCELLED:
        return Outcome(Status.ENDED_CANCELLED, Reason.CANCELLED, "", **used)
    if stopped_for == Reason.TIMEOUT:
        limit = f"{limit_minutes:g} minutes" if limit_minutes else "its limit"
        return Outcome(Status.ENDED_ERROR, Reason.TIMEOUT, f"timed out: it ran longer than {limit}", **used)
    if report is None:
        return Outcome(Status.ENDED_ERROR, Reason.CRASHED, f"crashed: {last_words(death)}", **used)
    message = str(report.get("message") or "")[:MAX_MESSAGE]
    output: dict[str, Any] = {"output": report.get("output"), "has_output": bool(report.get("has_output"))}
    match report.get("status"):
        case "success":
            return Outcome(Status.ENDED_SUCCESS, "", message, **output, **used)
        case "cancelled":
            return Outcome(Status.ENDED_CANCELLED, Reason.CANCELLED, message, **used)
        case "replay_mismatch":
            return Outcome(Status.ENDED_ERROR, Reason.REPLAY_MISMATCH, message, **used)
    trace = report.get("traceback")
    if trace:
        return Outcome(Status.ENDED_ERROR, Reason.RAISED, str(trace)[-MAX_MESSAGE:], **used)
    return Outcome(Status.ENDED_ERROR, Reason.REPORTED, message, **output, **used)


def last_words(death: Death) -> str:
    """Say in plain words how a process died."""
    if death.error:
        return f"its process could not be started: {death.error}"
    if death.signal is not None:
        try:
            name = signal.Signals(death.signal).name
        except ValueError:
            name = f"signal {death.signal}"
        hint = {
            "SIGKILL": ": something outside killed it, most often for want of memory",
            "SIGSEGV": ": native code touched memory that is not its own",
            "SIGXCPU": ": it used up its processor time",
            "SIGXFSZ": ": it wrote a file larger than allowed",
        }.get(name, "")
        return f"its process was ended by {name}{hint}"
    return f"its process exited with code {death.exit_code} without a word"
