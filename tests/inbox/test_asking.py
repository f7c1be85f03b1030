"""The promise of messages: an execution asks, waits without a slot, and goes on with the first answer or without."""

import pytest

from executions.flow_calls import CallRefused, Parked
from executions.models import Execution
from executions.operations import cancel_execution
from inbox.models import Message
from inbox.operations import AlreadyAnswered, MessageClosed, answer_message
from tests.executions.hosts import FAILURE, SUCCESS, StandIn, sweep
from tests.executions.stage import Stage, in_threads, wait_until

FORM = {
    "type": "object",
    "required": ["reason"],
    "properties": {
        "reason": {"element": "string", "type": "string"},
        "go": {"element": "submit", "type": "boolean", "label": "Go"},
        "stop": {"element": "submit", "type": "boolean", "label": "Stop", "required": []},
    },
}


@pytest.fixture
def host(hosts) -> StandIn:
    return hosts()


def asked(stage: Stage, host: StandIn, wait: bool = True, **fields) -> tuple[Execution, Message]:
    execution = stage.start("pass", by=stage.cast.bob)
    assert execution.pk in host.claim()
    host.call(execution.pk, "message.create", fields={"subject": "Ready?", **fields}, wait=wait)
    execution.refresh_from_db()
    return execution, Message.objects.get(execution=execution)


def test_a_question_parks_and_its_answer_wakes(stage, host):
    execution, message = asked(stage, host, body=FORM)
    assert (execution.status, host.running()) == ("WAITING_FOR_MESSAGE", 0)
    assert execution.waiting_for["subject"] == "Ready?"
    assert host.ready() == set()
    answer_message(message, {"reason": "fine", "go": True}, by=stage.cast.alice)
    assert host.ready() == {execution.pk}
    assert message.response == {"reason": "fine", "go": True, "stop": False}
    assert (message.is_submitted, message.answered_by, message.state) == (True, stage.cast.alice, "answered")


def test_the_first_of_two_answers_wins_and_the_second_is_told(stage, host):
    for _ in range(5):
        execution, message = asked(stage, host, body=FORM)
        results = in_threads(
            lambda m=message: answer_message(m, {"stop": True}, by=stage.cast.alice),
            lambda m=message: answer_message(m, {"reason": "x", "go": True}, by=stage.cast.bob),
        )
        refused = [each for each in results if isinstance(each, AlreadyAnswered)]
        winners = [each for each in results if isinstance(each, Message)]
        assert (len(refused), len(winners)) == (1, 1)
        message = Message.objects.get(pk=message.pk)
        assert message.response == winners[0].response
        assert f"answered by {message.answered_by.username} at " in str(refused[0])
        assert execution.pk in host.ready()


def test_an_answer_that_comes_while_the_execution_ends_harms_neither(stage, host):
    for _ in range(5):
        execution, message = asked(stage, host, body=FORM)
        results = in_threads(
            lambda m=message: answer_message(m, {"stop": True}, by=stage.cast.alice),
            lambda e=execution: host.end(e.pk, outcome=FAILURE),
        )
        assert results[1] == [execution.pk]
        message.refresh_from_db()
        assert message.state == ("closed" if isinstance(results[0], MessageClosed) else "answered")


def test_the_deadline_gives_the_default(stage, host):
    execution, message = asked(stage, host, body=FORM, timeout=0.05, default={"stop": True})
    assert message.default_response == {"go": False, "stop": True}
    wait_until(lambda: host.ready() == {execution.pk})
    sweep()
    message.refresh_from_db()
    assert (message.state, message.answered_by, message.is_submitted) == ("expired", None, True)
    assert message.response == {"go": False, "stop": True}
    with pytest.raises(AlreadyAnswered, match="its deadline"):
        answer_message(message, {"stop": True}, by=stage.cast.alice)


def test_a_deadline_without_a_default_closes(stage, host):
    execution, message = asked(stage, host, timeout=0.05, wait=False, request="Which?")
    wait_until(lambda: sweep() is not None and not Message.objects.get(pk=message.pk).is_open)
    with pytest.raises(MessageClosed, match="its time is over"):
        answer_message(Message.objects.get(pk=message.pk), {"string": "x"}, by=stage.cast.alice)
    with pytest.raises(CallRefused) as refused:
        host.call(execution.pk, "message.wait", id=str(message.pk), timeout=None)
    assert refused.value.type == "MessageResponseTimeoutError"


def test_a_wait_of_its_own_ends_and_leaves_the_message_open(stage, host):
    execution, message = asked(stage, host, request="Which?", wait=False)
    with pytest.raises(CallRefused) as refused:
        host.call(execution.pk, "message.wait", id=str(message.pk), timeout=0)
    assert refused.value.type == "MessageResponseTimeoutError"
    message.refresh_from_db()
    assert message.is_open
    got = host.call(execution.pk, "message.wait", id=str(message.pk), timeout=None)
    assert isinstance(got, Parked) and got.wake_in is None
    answer_message(message, {"string": "this"}, by=stage.cast.bob)
    assert host.ready() == {execution.pk}


def test_the_end_of_an_execution_closes_what_it_asked_but_not_what_it_told(stage, host):
    execution, question = asked(stage, host, request="Which?", wait=False)
    host.call(
        execution.pk, "message.create", fields={"subject": "Done", "message": "All **well**"}, wait=False
    )
    notice = Message.objects.get(subject="Done", execution=execution)
    host.end(execution.pk)
    question.refresh_from_db()
    notice.refresh_from_db()
    assert (question.state, notice.state) == ("closed", "open")
    answer_message(notice, {}, by=stage.cast.bob)
    assert notice.response == {}


def test_cancel_closes_the_question_that_is_waited_for(stage, host):
    execution, message = asked(stage, host, message="Look")
    assert message.is_notice
    cancel_execution(execution, by=stage.cast.bob)
    host.end(execution.pk, outcome=FAILURE)
    message.refresh_from_db()
    assert message.state == "closed"


def test_another_execution_that_waits_hears_of_the_end(stage, host):
    execution, message = asked(stage, host, request="Which?", wait=False)
    other = stage.start("pass", by=stage.cast.bob)
    host.claim()
    assert isinstance(host.call(other.pk, "message.wait", id=str(message.pk), timeout=None), Parked)
    ended, resumed = host.end_and_resume([(execution.pk, 1, SUCCESS)])
    assert (ended, resumed) == (
        [execution.pk],
        [other.pk],
    )  # it takes over the slot, and hears that it was closed


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"subject": " "}, "subject"),
        ({"subject": "x" * 129}, "subject"),
        ({"message_type": "SHOUT"}, "message_type"),
        ({"body": {"type": "array"}}, "body"),
        ({"body": {"properties": {"a": {"element": "slider"}}}}, "properties.a.element"),
        ({"request": 3}, "request"),
        ({"request": "q", "body": {"properties": {"string": {"type": "string"}}}}, "already"),
        ({"body": FORM, "timeout": 5, "default": {"go": True}}, "default.reason: is required"),
        ({"request": "q", "default": {"string": "x"}}, "needs a timeout"),
        ({"request": "q", "timeout": -1}, "timeout"),
        ({"request": "q", "recipients": ["nobody"]}, "recipients: there is no 'nobody'"),
        ({"colour": "red"}, "takes no 'colour'"),
    ],
)
def test_what_cannot_be_asked_is_refused(stage, host, fields, words):
    execution = stage.start("pass", by=stage.cast.bob)
    host.claim()
    with pytest.raises(CallRefused) as refused:
        host.call(execution.pk, "message.create", fields={"subject": "S", **fields}, wait=True)
    assert refused.value.type == "InvalidInputError" and words in refused.value.message
    assert not Message.objects.filter(execution=execution).exists()


def test_a_database_that_forgets_the_order_of_keys_keeps_that_of_fields(stage, host):
    body = {"properties": {name: {"type": "string"} for name in ("zebra", "bb", "a", "longest of all")}}
    _, message = asked(stage, host, body=body)
    properties = message.body["properties"]
    assert sorted(properties, key=lambda key: properties[key]["order"]) == [
        "zebra",
        "bb",
        "a",
        "longest of all",
    ]
