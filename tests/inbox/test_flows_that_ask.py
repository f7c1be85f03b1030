"""Flows that ask people, with real workers: the call's forms, its answers, and an answer that comes after a restart."""

import pytest

from executions.lifecycle import Status
from inbox.models import Message
from inbox.operations import answer_message
from tests.executions.stage import Stage, wait_until
from tests.invariants import check_invariants

pytestmark = pytest.mark.process


@pytest.fixture
def play(stage, fleet):
    """A stage with a worker whose waiting executions leave memory after a second."""
    fleet.have(workers=1, slots=4, SLEEP_MAX_SECONDS="1")
    yield stage
    check_invariants(stage.ids)


def question_of(execution) -> Message:
    return wait_until(
        Message.objects.filter(execution=execution, is_submitted=False).order_by("-id").first, "asked"
    )


def test_a_flow_goes_on_with_what_people_say(play: Stage):
    execution = play.start(
        """
        import datetime
        first = this.message('Version', request='Which **version**?')
        this.log(first.get('response')['string'])
        form = {'type': 'object', 'properties': {
            'at': {'element': 'date', 'type': 'string', 'format': 'date'},
            'yes': {'element': 'submit', 'type': 'boolean'}, 'no': {'element': 'submit', 'type': 'boolean'}}}
        later = this.message(subject='Deploy?', body=form, wait=False)
        assert later.get('is_submitted') is False and later.get('response') is None
        old = system.message(subject='Old', body=form, message_type='WARNING')
        assert old.get('subject', 'message_type') == ('Old', 'WARNING')
        old.wait(timeout=datetime.timedelta(days=1))
        this.set_output(deploy=later.wait().get('response'), old=old.get('response'))
        try:
            this.message('Late?', message='Look', timeout=0.1)
        except flow_api.MessageResponseTimeoutError as error:
            this.set_output(late=str(error))
        this.set_output(default=this.message('Or?', request='q', timeout=0.1, default={'string': 'd'}).get('response'))
        """.replace("import datetime", "import datetime, flow_api"),
        by=play.cast.bob,
    )
    answer_message(question_of(execution), {"string": "1.2"}, by=play.cast.alice)
    wait_until(lambda: Message.objects.filter(execution=execution).count() == 3)
    old, deploy = Message.objects.filter(execution=execution, is_submitted=False).order_by("-id")
    answer_message(old, {"no": True}, by=play.cast.bob)
    answer_message(deploy, {"at": "2030-01-31", "yes": True}, by=play.cast.bob)
    done = play.ended(execution)
    assert (done.status, play.log(done)) == ("ENDED_SUCCESS", ["1.2"]), done.message
    assert done.output_value == {
        "deploy": {"at": "2030-01-31", "yes": True, "no": False},
        "old": {"yes": False, "no": True},
        "late": "Nobody answered 'Late?'; it is closed.",
        "default": {"string": "d"},
    }


def test_an_answer_finds_an_execution_that_left_memory_and_lost_its_worker(play: Stage, fleet):
    execution = play.start("this.success(this.message('Go?', request='Why?').get('response')['string'])")
    message = question_of(execution)
    play.in_status(execution, Status.WAITING_FOR_MESSAGE)
    wait_until(lambda: execution.refresh_from_db() or execution.host_id is None, "it left memory")
    fleet.stop()
    answer_message(message, {"string": "because"}, by=play.cast.root)
    fleet.have(workers=1, slots=4, SLEEP_MAX_SECONDS="1")
    done = play.ended(execution)
    assert (done.status, done.message, done.attempt) == ("ENDED_SUCCESS", "because", 2)


def test_a_deadline_wakes_an_execution_that_left_memory(play: Stage):
    execution = play.start(
        """
        asked = this.message('?', request='q', timeout=2, default={'string': 'd'})
        this.success(asked.get('response')['string'])
        """
    )
    done = play.ended(execution)
    assert (done.status, done.message) == ("ENDED_SUCCESS", "d")


def test_a_flow_answers_another_ones_message(play: Stage):
    asks = play.start("this.success(this.message('Which?', request='q').get('response')['string'])")
    key = question_of(asks).pk
    answers = play.start(
        f"""
        import flow_api
        message = system.message('{key}')
        message.save(response={{'string': 'that one'}})
        try:
            message.save(response={{'string': 'no, this'}})
        except flow_api.EngineException as error:
            this.success(str(error))
        """
    )
    assert play.ended(asks).message == "that one"
    assert "was answered by root at" in play.ended(answers).message


def test_a_flow_is_told_what_the_state_of_a_record_does_not_allow(play: Stage):
    done = play.run(
        """
        import flow_api
        try:
            this.delete()
        except flow_api.EngineException as error:
            this.success(str(error))
        """
    )
    assert "has not ended" in done.message, done.message
