"""What the caller of a webhook gets to hear of the execution that the call started."""

from typing import Any
from uuid import UUID

from executions.database import fetch, from_jsonb
from executions.lifecycle import Reason, Status
from webhooks.receiving import Accepted
from webhooks.shaping import OUTPUT_NAME, Answer, ShapeRefused, json_answer, shaped_answer

_IS_OVER = f"""
SELECT 1 FROM executions_execution
WHERE id = %s AND (ended_at IS NOT NULL OR output_value #> '{{{OUTPUT_NAME}}}' IS NOT NULL)
"""
_READ = "SELECT status, reason, message, output_value, ended_at FROM executions_execution WHERE id = %s"
_REPLAY = ("Idempotent-Replay", "true")


def is_over(execution_id: UUID) -> bool:
    """Tell whether the caller need not wait any longer: it has ended, or given its answer."""
    return bool(fetch(_IS_OVER, (execution_id,)))


def answer_at_once(call: Accepted) -> Answer:
    """Return the answer to a caller who does not wait."""
    return json_answer(202, {"id": call.execution_id}, *_marks(call))


def answer_at_end(call: Accepted, time_limit: int) -> Answer:
    """Return the answer to a caller who waited: as the flow shaped it, else status and output; 504 if it goes on."""
    rows = fetch(_READ, (call.execution_id,))
    if not rows:
        return _failed(410, "gone", "The execution of this call has been removed.", call)
    status, reason, message, output, ended_at = rows[0]
    output = from_jsonb(output)
    if isinstance(output, dict) and OUTPUT_NAME in output:
        return _shaped(call, output[OUTPUT_NAME])
    if ended_at is None:
        words = f"It has not ended within {time_limit} seconds. It goes on; its id is {call.execution_id}."
        return _failed(504, "timeout", words, call, status)
    # A traceback is for those who may see the execution; what a flow says itself is for its caller.
    said = "" if reason in (Reason.RAISED, Reason.REPLAY_MISMATCH) else message
    shown = {"id": call.execution_id, "status": status, "message": said, "output_value": output}
    if status == Status.ENDED_SUCCESS:
        return json_answer(200, shown, *_marks(call))
    words = "The execution was cancelled." if status == Status.ENDED_CANCELLED else "The execution failed."
    return json_answer(500, shown, *_marks(call), error=words)


def _shaped(call: Accepted, shape: Any) -> Answer:
    try:
        answer = shaped_answer(shape)
    except ShapeRefused as error:
        return _failed(500, "answer_invalid", f"The flow gave no answer that can be sent: {error}", call)
    return Answer(answer.status, answer.body, (*answer.headers, *_marks(call)))


def _failed(code: int, name: str, words: str, call: Accepted, status: str | None = None) -> Answer:
    shown: dict[str, Any] = {
        "error": {"code": name, "message": words, "details": {}},
        "id": call.execution_id,
    }
    if status is not None:
        shown["status"] = status
    return json_answer(code, shown, *_marks(call), error=words[:500])


def _marks(call: Accepted) -> tuple[tuple[str, str], ...]:
    return (_REPLAY,) if call.is_repeat else ()
