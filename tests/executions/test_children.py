"""Children of real flows: every way to start, wait for, and be disappointed by them."""

import pytest

from executions.lifecycle import Status
from executions.models import Execution
from tests.cast import hold
from tests.executions.stage import Stage

pytestmark = pytest.mark.process
OK, BAD, GONE = Status.ENDED_SUCCESS, Status.ENDED_ERROR, Status.ENDED_CANCELLED

DOUBLE = "def handler(system, this, inputs):\n    return this.set_output(double=inputs['n'] * 2)"
FAILS = (
    "def handler(system, this, inputs):\n    this.set_output(partly=True)\n    return this.error('no luck')"
)


@pytest.fixture
def double(play: Stage) -> None:
    play.flow("double", DOUBLE)
    play.flow("fails", FAILS)


def result(play: Stage, body: str, **options: object) -> object:
    execution = play.run(body, **options)
    assert execution.status == OK, execution.message
    return execution.output_value


def test_waiting_for_a_child(play: Stage, double: None) -> None:
    body = "return this.flow('double', n=21).get('output_value')"
    assert result(play, body) == {"double": 42}


@pytest.mark.parametrize(
    "call",
    [
        "this.flow('double', {'n': 3})",
        "this.flow('double', inputs={'n': 3})",
        "this.flow('double', inputs={'n': 1}, n=3)",
        "this.flow('double', input_value={'n': 3})",
        "this.flow('double', init={'input_value': {'n': 3}}, name='my child')",
        f"this.script({DOUBLE!r}, n=3)",
        "this.flow(system.flow('double').get('id'), n=3)",
        "this.flow('double', n=3, wait=False).wait()",
        "this.flow('double', n=3, run=False).run()",
        "this.flow('double', n=3, wait=system.return_when.ALL_ENDED)",
        "this.flow('double', n=1).clone(n=3)",
    ],
)
def test_every_way_to_start_one(play: Stage, double: None, call: str) -> None:
    assert result(play, f"return {call}.get('output_value')") == {"double": 6}


def test_a_child_that_is_only_written_down(play: Stage, double: None) -> None:
    got = result(
        play,
        """
        child = this.flow('double', n=1, run=False, name='later')
        before = child.get('status')
        child.save(input_value={'n': 5})
        child.run_async()
        child.wait()
        return [before, child.get('status'), child.get('output_value'), child.get('name')]
        """,
    )
    assert got == ["CREATED", "ENDED_SUCCESS", {"double": 10}, "later"]


def test_the_error_of_a_child_climbs(play: Stage, double: None) -> None:
    execution = play.run("this.flow('fails')")
    assert (execution.status, execution.reason) == (BAD, "raised")
    assert "DependencyFailedError" in execution.message and "no luck" in execution.message


def test_the_error_of_a_child_can_be_caught(play: Stage, double: None) -> None:
    got = result(
        play,
        """
        import flow_api
        try:
            this.flow('fails', name='poor one')
        except flow_api.DependencyFailedError as error:
            child = error.execution
            return [child.get('name'), child.get('status'), child.get('message'), child.get('output_value')]
        """,
    )
    assert got == ["poor one", BAD, "no luck", {"partly": True}]


def test_all_ended_does_not_raise(play: Stage, double: None) -> None:
    got = result(
        play,
        """
        child = this.flow('fails', wait=system.return_when.ALL_ENDED)
        other = this.flow('fails', wait=False)
        other.wait(return_when=system.return_when.ALL_ENDED)
        return [child.get('status'), other.get('message')]
        """,
    )
    assert got == [BAD, "no luck"]


def test_wait_for_many(play: Stage, double: None) -> None:
    got = result(
        play,
        """
        children = [this.flow('double', n=n, wait=False) for n in range(12)]
        back = this.wait_for(*children)
        again = this.wait_for(children)
        return [[c.get('output_value')['double'] for c in children], back == children, len(again)]
        """,
    )
    assert got == [[n * 2 for n in range(12)], True, 12]


def test_wait_for_the_first(play: Stage, double: None) -> None:
    got = result(
        play,
        """
        slow = this.script('def handler(system, this): this.sleep(30)', wait=False, name='slow')
        fast = this.flow('double', n=1, wait=False)
        this.wait_for(slow, fast, return_when=system.return_when.FIRST_ENDED)
        first = [slow.get('status').startswith('ENDED'), fast.get('status')]
        slow.cancel()
        slow.wait(return_when=system.return_when.ALL_ENDED)
        return [*first, slow.get('status')]
        """,
    )
    assert got == [False, OK, GONE]


def test_wait_for_all_to_succeed_ends_with_the_first_that_does_not(play: Stage, double: None) -> None:
    got = result(
        play,
        """
        import flow_api
        slow = this.script('def handler(system, this): this.sleep(30)', wait=False)
        bad = this.flow('fails', wait=False)
        try:
            this.wait_for(slow, bad)
        except flow_api.DependencyFailedError as error:
            found = error.execution == bad
        slow.cancel()
        return found
        """,
    )
    assert got is True


def test_a_wait_with_a_time_limit(play: Stage) -> None:
    got = result(
        play,
        """
        import flow_api, time
        slow = this.script('def handler(system, this): this.sleep(30)', wait=False)
        before = time.monotonic()
        try:
            slow.wait(timeout=0.3)
        except flow_api.DependencyTimeoutError:
            passed = time.monotonic() - before
        slow.cancel()
        return passed
        """,
    )
    assert isinstance(got, float) and 0.2 < got < 15


def test_waiting_for_one_that_is_no_child(play: Stage, double: None) -> None:
    other = play.start("this.sleep(0.5)\nreturn 'other'")
    got = result(
        play, f"other = system.execution({str(other.pk)!r})\nother.wait()\nreturn other.get('output_value')"
    )
    assert got == "other"


def test_a_child_that_was_cancelled(play: Stage) -> None:
    got = result(
        play,
        """
        child = this.script('def handler(system, this): this.sleep(30)', wait=False)
        child.cancel()
        child.wait(return_when=system.return_when.ALL_ENDED)
        import flow_api
        try:
            child.wait()
        except flow_api.DependencyFailedError as error:
            return [child.get('status'), error.execution.get('status')]
        """,
    )
    assert got == [GONE, GONE]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("this.flow('there is none')", "ResourceNotFoundError"),
        ("this.wait_for(this)", "InvalidInputError"),
        ("this.wait_for('01234567-89ab-7def-8123-456789abcdef')", "ResourceNotFoundError"),
        ("this.flow('double', wait='SOME_ENDED')", "InvalidInputError"),
        ("this.flow('double', n=object())", "InvalidInputError"),
        ("this.flow('double', priority='high')", "InvalidInputError"),
        ("this.flow('double', max_runtime_minutes=-1)", "InvalidInputError"),
        ("this.script('')", "InvalidInputError"),
        ("system.execution(this.get('id')).run()", "InvalidInputError"),
        ("this.sleep(float('inf'))", "InvalidInputError"),
        ("this.get('no_such_field')", "InvalidInputError"),
        ("system.unheard_of('x').get('id')", "EngineException"),
    ],
)
def test_calls_that_are_refused(play: Stage, double: None, call: str, error: str) -> None:
    got = result(
        play,
        f"""
        try:
            {call}
        except Exception as error:
            return [kind.__name__ for kind in type(error).__mro__]
        return 'it was allowed'
        """,
    )
    assert error in got


def test_where_children_live(play: Stage, double: None) -> None:
    """In the project of what is executed, unless it is said otherwise; scripts in their parent's."""
    play.flow("in the attic", DOUBLE, project=play.cast.attic)
    got = result(
        play,
        f"""
        attic = {str(play.cast.attic.pk)!r}
        children = [
            this.flow('double', n=1), this.flow('in the attic', n=1), this.script({DOUBLE!r}, n=1),
            this.flow('double', n=1, init={{'project_id': attic}}), this.flow('double', n=1, project_name='Attic'),
        ]
        return [child.project().get('name') for child in children]
        """,
    )
    assert got == ["Workshop", "Attic", "Workshop", "Attic", "Attic"]


@pytest.mark.parametrize("is_productive", [True, False])
def test_the_mode_of_children(play: Stage, double: None, is_productive: bool) -> None:
    got = result(
        play,
        """
        children = [this.flow('double', n=1), this.flow('double', n=1, is_productive=True)]
        dev = this.flow('double', n=1, is_productive=False)
        return [child.get('is_productive') for child in [*children, dev]]
        """,
        is_productive=is_productive,
    )
    assert got == [is_productive, is_productive, False]


def test_a_family_is_written_down(play: Stage, double: None) -> None:
    execution = play.run(
        "this.flow('double', n=1, name='one')\nthis.flow('double', n=1, name='two', wait=False).wait()"
    )
    children = play.children(execution)
    assert [child.name for child in children] == ["one", "two"]
    assert {child.root_id for child in children} == {execution.pk}
    assert [child.orphan for child in children] == [False, True]
    assert {child.created_by_id for child in children} == {execution.created_by_id}
    assert {child.origin for child in children} == {"EXECUTION"}


def test_children_left_alone_live_on(play: Stage) -> None:
    execution = play.run(
        """
        this.script('def handler(system, this): this.sleep(0.5)', wait=False, name='lives on')
        this.script('def handler(system, this): this.sleep(30)', wait=False, orphan=False, name='belongs')
        """
    )
    lives_on, belongs = play.children(execution)
    assert play.ended(lives_on).status == OK
    play.ended(belongs)
    assert (belongs.status, belongs.name) == (GONE, "belongs")


def test_an_execution_cancels_itself(play: Stage) -> None:
    execution = play.run("this.set_output(a=1)\nthis.cancel()")
    assert execution.status == GONE


def test_who_may_do_what_from_a_flow(play: Stage, double: None) -> None:
    """A flow may do what its user may: Bob runs flows of the workshop, and may neither change nor enter elsewhere."""
    play.flow("hidden", DOUBLE, project=play.cast.attic)
    got = result(
        play,
        """
        import flow_api
        def attempt(work):
            try:
                work()
                return 'done'
            except flow_api.EngineException as error:
                return type(error).__name__
        return [
            attempt(lambda: this.flow('double', n=1)),
            attempt(lambda: system.flow('double').save(description='mine')),
            attempt(lambda: system.flow('double').delete()),
            attempt(lambda: system.flow('new', script='x = 1')),
            attempt(lambda: this.flow('hidden', n=1)),
            attempt(lambda: system.flow('hidden').get('script')),
            attempt(lambda: this.flow('double', n=1, project_name='Attic')),
            attempt(lambda: system.project('Attic').get('id')),
            [flow.get('name') for flow in system.flows() if flow.get('name') in ('double', 'hidden')],
        ]
        """,
        by=play.cast.bob,
    )
    refused, unseen = "PermissionDenied", "ResourceNotFoundError"
    assert got == ["done", refused, refused, refused, unseen, unseen, unseen, unseen, ["double"]]


def test_rights_lost_while_it_runs(play: Stage, double: None) -> None:
    bob, workshop = play.cast.bob, play.cast.workshop
    viewer, running = hold(bob, "Viewer", workshop), hold(bob, "User", workshop)
    execution = play.start(
        """
        import flow_api
        this.flow('double', n=1)
        this.log('ready')
        this.sleep(2.5)  # hosts remember roles for two seconds
        try:
            this.flow('double', n=1)
        except flow_api.EngineException as error:
            return type(error).__name__
        """,
        by=bob,
    )
    try:
        play.says(execution, "ready")
        running.delete()
        assert play.ended(execution).output_value == "PermissionDenied", execution.message
    finally:
        viewer.delete()
        hold(bob, "User", workshop)


def test_the_input_schema_of_a_flow_guards_its_children(play: Stage) -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    play.flow("strict", DOUBLE, input_schema=schema)
    got = result(
        play,
        """
        import flow_api
        try:
            this.flow('strict', n='three')
        except flow_api.EngineException as error:
            return [type(error).__name__, str(error)]
        """,
    )
    assert isinstance(got, list) and got[0] == "InvalidInputError" and "inputs.n" in got[1]
    assert Execution.objects.filter(flow__name="strict").count() == 0
