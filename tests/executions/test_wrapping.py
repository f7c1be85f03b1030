"""Wrappers run in place of what they wrap and start it as their child: named by scripts, kept by flows, chained."""

from typing import Any

import pytest

from executions.lifecycle import Status
from executions.models import Execution
from executions.operations import cancel_execution, rerun_execution
from flows.models import Wrapper
from flows.operations import save_flow
from flows.wrappers import create_wrapper
from tests.executions.stage import Stage, script, wait_until

pytestmark = pytest.mark.process
OK, BAD = Status.ENDED_SUCCESS, Status.ENDED_ERROR

MARK = """
child = this.start_child(wait=system.return_when.ALL_ENDED)
own = inputs['wrapper_inputs']
this.save(output_value=[own.get('mark', '?'), child.get('output_value')])
return this.end(child.get('status'), child.get('message'))
"""
THRICE = "return [this.start_child(n=n).get('output_value') for n in (1, 2, 3)]"
NEVER = "return 'nothing was started'"


@pytest.fixture
def wrapped(play: Stage) -> Stage:
    for name, body in (("mark", MARK), ("thrice", THRICE), ("never", NEVER)):
        if not Wrapper.objects.alive().filter(name=name).exists():
            create_wrapper(by=play.cast.root, name=name, script=script(body), project=play.cast.workshop)
    play.flow("twice", "return inputs['n'] * 2")
    play.flow("luckless", "return this.error('no luck')")
    return play


def result(play: Stage, body: str, **options: Any) -> Any:
    execution = play.run(body, **options)
    assert execution.status == OK, execution.message
    return execution.output_value


@pytest.mark.parametrize(
    ("call", "output"),
    [
        ("this.using('mark', mark='a').flow('twice', n=4)", ["a", 8]),
        ("this.using('mark').flow('twice', {'n': 4}, 'a name')", ["?", 8]),
        (
            "this.using('mark').script('def handler(system, this, inputs): return inputs', n=1)",
            ["?", {"n": 1}],
        ),
        ("this.using('mark', mark='out').using('mark', mark='in').flow('twice', n=4)", ["out", ["in", 8]]),
        ("this.using('mark').using('thrice').flow('twice', n=4)", ["?", [2, 4, 6]]),
        ("this.using('thrice').using('mark').flow('twice')", [["?", 2], ["?", 4], ["?", 6]]),
        ("this.using('never').flow('twice')", "nothing was started"),
        ("this.flow('twice', n=4, wrappers=[{'name': 'mark', 'inputs': {'mark': 'b'}}])", ["b", 8]),
        ("this.using('mark').flow('twice', n=4, wait=False).wait()", ["?", 8]),
        ("this.using('mark').flow('twice', n=4, run=False).run()", ["?", 8]),
        ("this.using('mark').flow('twice', n=1).clone(n=4)", ["?", 8]),
    ],
)
def test_every_way_to_use_one(wrapped: Stage, call: str, output: Any) -> None:
    assert result(wrapped, f"return {call}.get('output_value')") == output


def test_what_is_written_down_of_it(wrapped: Stage) -> None:
    parent = wrapped.run("this.using('mark', mark=1).flow('twice', n=4, name='four', priority=3)")
    outer = wrapped.children(parent)[0]
    assert (outer.type, outer.name, outer.flow_id, outer.priority) == ("WRAPPER", "four", None, 3)
    assert outer.wrapper is not None and outer.wrapper.name == "mark"
    assert outer.script_id == outer.wrapper.pinned_id
    assert outer.input_value["wrapper_inputs"] == {"mark": 1}
    assert outer.input_value["child"]["flow_name"] == "twice"
    inner = wrapped.children(outer)[0]
    assert (inner.type, inner.name, inner.input_value, inner.priority) == ("FLOW", "four", {"n": 4}, 3)
    assert inner.root_id == parent.pk


def test_the_failure_of_what_is_wrapped_reaches_the_parent(wrapped: Stage) -> None:
    execution = wrapped.run("this.using('mark').flow('luckless')")
    assert (execution.status, execution.reason) == (BAD, "raised")
    assert "no luck" in execution.message


def test_a_flow_that_has_a_wrapper_of_its_own(wrapped: Stage) -> None:
    flow = wrapped.flow("marked", "return inputs.get('n', 0) * 2")
    save_flow(flow, by=wrapped.cast.root, wrappers=[{"name": "mark", "inputs": {"mark": "own"}}])
    assert wrapped.ended(wrapped.start_flow(flow, inputs={"n": 2})).output_value == ["own", 4]
    assert result(wrapped, "return this.flow('marked', n=3).get('output_value')") == ["own", 6]
    assert result(wrapped, "return this.flow('marked', n=3, unwrapped=True).get('output_value')") == 6
    chained = "return this.using('mark', mark='more').flow('marked', n=3).get('output_value')"
    assert result(wrapped, chained) == ["more", ["own", 6]]
    replaced = (
        "return this.using('mark', mark='only').flow('marked', n=3, unwrapped=True).get('output_value')"
    )
    assert result(wrapped, replaced) == ["only", 6]


def test_running_it_again(wrapped: Stage) -> None:
    parent = wrapped.run("this.using('mark').flow('twice', n=4)")
    outer = wrapped.children(parent)[0]
    again = rerun_execution(outer, by=wrapped.cast.root, origin=Execution.Origin.COMMAND)
    wrapped.ids.append(again.pk)
    assert (wrapped.ended(again).output_value, again.type) == (["?", 8], "WRAPPER")
    inner = rerun_execution(wrapped.children(outer)[0], by=wrapped.cast.root, origin="COMMAND")
    wrapped.ids.append(inner.pk)
    assert (wrapped.ended(inner).output_value, inner.type) == (8, "FLOW")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("this.using('nobody').flow('twice')", "There is no wrapper 'nobody'"),
        ("this.start_child()", "Only the execution of a wrapper has a child to start"),
        ("this.flow('twice', wrappers='mark')", "Give a list"),
        ("this.flow('twice', wrappers=[{'name': 'mark', 'input': {}}])", "no field 'input'"),
        ("this.using('mark').flow('no such flow')", "There is no flow 'no such flow'"),
    ],
)
def test_what_is_refused(wrapped: Stage, body: str, words: str) -> None:
    execution = wrapped.run(body)
    assert (execution.status, execution.reason) == (BAD, "raised")
    assert words in execution.message


def test_the_child_goes_with_its_wrapper(wrapped: Stage) -> None:
    parent = wrapped.start("this.using('mark').script('def handler(system, this): this.sleep(600)')")
    outer = wrapped.in_status(_first_child(wrapped, parent), Status.WAITING_FOR_DEPENDENCY)
    inner = wrapped.in_status(_first_child(wrapped, outer), Status.SLEEPING)
    cancel_execution(parent, by=wrapped.cast.root)
    wrapped.ended(parent, outer, inner)
    assert wrapped.statuses([parent.pk, outer.pk, inner.pk]) == {Status.ENDED_CANCELLED}


def _first_child(play: Stage, parent: Execution) -> Execution:
    return wait_until(lambda: next(iter(play.children(parent)), None), f"{parent} has a child")


def test_whoever_may_run_a_flow_runs_it_through_its_wrappers(wrapped: Stage) -> None:
    """Also through the second, which the first one starts in that person's name."""
    body = "return ['', this.start_child().get('output_value')]"
    for name in ("theirs", "theirs too"):
        create_wrapper(by=wrapped.cast.root, name=name, script=script(body), project=wrapped.cast.attic)
    flow = wrapped.flow("through theirs", "return inputs['n']")
    save_flow(flow, by=wrapped.cast.root, wrappers=[{"name": "theirs"}, {"name": "theirs too"}])
    done = wrapped.ended(wrapped.start_flow(flow, by=wrapped.cast.bob, inputs={"n": 1}))
    assert (done.status, done.output_value) == (OK, ["", ["", 1]]), done.message
    refused = wrapped.ended(wrapped.start("this.using('theirs').flow('twice', n=1)", by=wrapped.cast.bob))
    assert "There is no wrapper 'theirs' that you may run" in refused.message
