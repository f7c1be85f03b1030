"""The bundle Wrappers, imported and run on a real worker: retry, timeout, cache, check, and several at once."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from executions.lifecycle import Status
from executions.models import Execution
from flows.models import Wrapper
from flows.operations import save_flow
from projects.bundles import import_bundle
from tests.executions.stage import Stage

pytestmark = pytest.mark.process
OK, BAD, GONE = Status.ENDED_SUCCESS, Status.ENDED_ERROR, Status.ENDED_CANCELLED

# Fails until it is called for the time named in its inputs.
FLAKY = """
count = system.setting(inputs['counter'])
count.list_append(1)
tries = len(count.get('value'))
this.set_output(tries=tries)
if tries < inputs['good']:
    return this.error(f'try {tries} is too early')
return this.success(f'try {tries}')
"""
CLOCK = "import time; return {'at': time.time_ns(), 'inputs': inputs}"


@pytest.fixture
def bundle(play: Stage) -> Iterator[Stage]:
    if not Wrapper.objects.alive().filter(name="retry").exists():
        import_bundle("Wrappers", by=play.cast.root)
    play.flow("flaky", FLAKY)
    play.flow("clock", CLOCK)
    yield play


def ended(play: Stage, call: str) -> Execution:
    """Run a flow that makes this call, and return the execution of the outermost wrapper."""
    parent = play.run(f"child = {call}")
    wrapper = play.children(parent)[0]
    assert wrapper.type == Execution.Type.WRAPPER
    return wrapper


def test_retry_tries_until_it_works(bundle: Stage) -> None:
    done = ended(bundle, "this.using('retry', delay_sec=0).flow('flaky', counter='c 1', good=3)")
    assert (done.status, done.message, done.output_value) == (OK, "try 3", {"tries": 3})
    assert [each.status for each in bundle.children(done)] == [BAD, BAD, OK]
    assert [line for line in bundle.log(done) if "failed" in line] == [
        "try 1 of 3 failed try 1 is too early",
        "try 2 of 3 failed try 2 is too early",
    ]


def test_retry_gives_up_with_the_last_error(bundle: Stage) -> None:
    call = "this.using('retry', max_tries=2, delay_sec=0, delete_retries=True).flow('flaky', counter='c 2', good=9)"
    done = ended(bundle, call)
    assert (done.status, done.message, done.output_value) == (BAD, "try 2 is too early", {"tries": 2})
    assert [each.deleted_at is not None for each in bundle.children(done)] == [True, False]


def test_retry_waits_longer_and_longer(bundle: Stage) -> None:
    call = "this.using('retry', max_tries=3, delay_sec=0.1, backoff=3).flow('flaky', counter='c 3', good=3)"
    tries = bundle.children(ended(bundle, call))
    pauses = [(after.created_at - before.ended_at).total_seconds() for before, after in pairwise(tries)]
    assert pauses[0] >= 0.1 and pauses[1] >= 0.3


def test_retry_lets_a_cancel_stand(bundle: Stage) -> None:
    done = ended(
        bundle, "this.using('retry', delay_sec=0).script('def handler(system, this): this.cancel()')"
    )
    assert done.status == GONE and len(bundle.children(done)) == 1


def test_timeout_ends_what_takes_too_long(bundle: Stage) -> None:
    slow = "def handler(system, this):\\n    this.sleep(600)"
    done = ended(bundle, f"this.using('timeout', timeout_sec=0.3).script('{slow}', name='slow')")
    assert (done.status, done.message) == (BAD, "slow did not end within 0.3 s and was cancelled")
    assert [each.status for each in bundle.children(done)] == [GONE]


def test_timeout_lets_the_quick_pass(bundle: Stage) -> None:
    done = ended(bundle, "this.using('timeout').flow('clock', a=1)")
    assert done.status == OK and done.output_value["inputs"] == {"a": 1}
    failed = ended(bundle, "this.using('timeout').script('def handler(system, this): 1 / 0')")
    assert failed.status == BAD and "ZeroDivisionError" in failed.message


def test_cache_answers_from_the_last_success(bundle: Stage) -> None:
    first, same, other = (
        ended(bundle, f"this.using('cache').flow('clock', key={key!r})") for key in ("a", "a", "b")
    )
    assert first.output_value == same.output_value != other.output_value
    assert [len(bundle.children(each)) for each in (first, same, other)] == [1, 0, 1]
    whatever = ended(bundle, "this.using('cache', any_inputs=True).flow('clock', key='c')")
    assert (
        whatever.output_value == other.output_value and str(bundle.children(other)[0].pk) in whatever.message
    )
    too_old = ended(bundle, "this.using('cache', max_age_minutes=0.0001).flow('clock', key='a')")
    assert too_old.output_value != first.output_value


def test_cache_knows_scripts_and_no_inputs(bundle: Stage) -> None:
    text = f"def handler(system, this, inputs):\\n    {CLOCK}"
    call = f'this.using("cache").script("{text}")'
    assert ended(bundle, call).output_value == ended(bundle, call).output_value


@pytest.mark.parametrize(
    ("inputs", "status", "message"),
    [
        ("checker_script=CHECK, inputs={'least': 1}", OK, "all done"),
        ("checker_script=CHECK, inputs={'least': 9}", BAD, "the output was found wrong: only 3"),
        ("checker_flow='judge', inputs={'least': 9}", BAD, "the output was found wrong: only 3"),
        ("checker_flow='judge', checker_script=CHECK", BAD, "either checker_flow or checker_script"),
        ("", BAD, "either checker_flow or checker_script"),
    ],
)
def test_check_lets_another_judge(bundle: Stage, inputs: str, status: str, message: str) -> None:
    judge = "rows = inputs['data']['rows']\nif rows < inputs.get('least', 0): this.error(f'only {rows}')"
    bundle.flow("judge", judge)
    bundle.flow("three rows", "this.set_output(rows=3)\nreturn this.success('all done')")
    lines = "def handler(system, this, inputs):\n    " + judge.replace("\n", "\n    ")
    inputs = inputs.replace("CHECK", repr(lines))
    done = ended(bundle, f"this.using('check', {inputs}).flow('three rows')")
    assert done.status == status and message in done.message
    assert done.output_value == (None if "either" in message else {"rows": 3})


def test_several_at_once_also_kept_by_a_flow(bundle: Stage) -> None:
    done = ended(
        bundle,
        "this.using('retry', delay_sec=0).using('timeout', timeout_sec=20).flow('flaky', counter='c 4', good=2)",
    )
    assert (done.status, done.output_value) == (OK, {"tries": 2})
    flow = bundle.flow("flaky with retry", FLAKY)
    save_flow(flow, by=bundle.cast.root, wrappers=[{"name": "retry", "inputs": {"delay_sec": 0}}])
    started: Any = bundle.start_flow(flow, inputs={"counter": "c 5", "good": 2})
    assert bundle.ended(started).output_value == {"tries": 2}
