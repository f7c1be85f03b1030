"""The mixed flows that chaos runs: what each does, and what must be true of it when it has ended, whatever happened."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from executions.models import Execution, LogLine
from flows.models import Flow

_CHILD = (
    "def handler(system, this, inputs):\\n    this.log('once')\\n    this.sleep(inputs['s'])\\n"
    "    return {'n': inputs['n']}"
)

STEPS = """
import random, time, uuid
def handler(system, this, inputs):
    drawn = []
    for n in range(inputs['steps']):
        drawn.append([time.time(), random.random(), str(uuid.uuid4())])
        this.set_output(str(n), drawn[-1])
        this.log('step', n)
        time.sleep(0.04)
    this.set_output(again=drawn)
"""

FAMILY = f"""
CHILD = "{_CHILD}"
def handler(system, this, inputs):
    free = [this.script(CHILD, {{'n': n, 's': inputs['s']}}, wait=False, name=f'free {{n}}') for n in range(3)]
    first = this.script(CHILD, {{'n': 9, 's': 0.05}}, name='awaited').get('output_value')
    this.wait_for(free)
    return {{'all': [each.get('output_value')['n'] for each in free] + [first['n']]}}
"""

SLEEPER = """
def handler(system, this, inputs):
    for n in range(3):
        this.sleep(inputs['s'])
        this.log('woke', n)
    return {'slept': 3}
"""

NAMED = """
def handler(system, this, inputs):
    this.save_dump('begin')
    mark = system.flow('chaos mark ' + this.get('id'))
    if not mark.exists():
        mark.save(description='made in the first round')
        this.log('first round')
        this.load_dump('begin')
    this.log('second round')
    return {'round': 2}
"""

CHAIN = """
def handler(system, this, inputs):
    if inputs['depth'] == 0:
        this.sleep(0.1)
        return {'depth': 0}
    below = this.script(inputs['script'], {**inputs, 'depth': inputs['depth'] - 1}).get('output_value')
    return {'depth': below['depth'] + 1}
"""

ERRORS = """
import flow_api
def handler(system, this, inputs):
    try:
        this.script("def handler(system, this): this.error('as planned')", name='failing')
    except flow_api.DependencyFailedError as error:
        this.set_output(caught=error.execution.get('message'))
    this.sleep(0.1)
    this.error('the end that was wanted')
"""


@dataclass(frozen=True)
class Kind:
    """One of the mixed flows."""

    name: str
    script: str
    inputs: Callable[[Random], dict[str, Any]]
    check: Callable[[Execution], object]


def _lines(execution: Execution) -> list[str]:
    lines = LogLine.objects.filter(execution=execution, seq__isnull=False).order_by("number")
    return list(lines.values_list("text", flat=True))


def _children(execution: Execution) -> list[Execution]:
    return list(Execution.objects.filter(parent=execution).order_by("id"))


def _succeeded(execution: Execution, output: Any = None) -> None:
    assert execution.status == "ENDED_SUCCESS", (execution.status, execution.reason, execution.message)
    if output is not None:
        assert execution.output_value == output, execution.output_value


def _check_steps(execution: Execution) -> None:
    _succeeded(execution)
    steps, output = execution.input_value["steps"], execution.output_value
    assert [output[str(n)] for n in range(steps)] == output["again"]
    assert _lines(execution) == [f"step {n}" for n in range(steps)], _lines(execution)


def _check_family(execution: Execution) -> None:
    _succeeded(execution, {"all": [0, 1, 2, 9]})
    names = sorted(each.name for each in _children(execution))
    assert names == ["awaited", "free 0", "free 1", "free 2"], names
    assert all(_lines(each) == ["once"] for each in _children(execution))


def _check_sleeper(execution: Execution) -> None:
    _succeeded(execution, {"slept": 3})
    assert _lines(execution) == [f"woke {n}" for n in range(3)], _lines(execution)
    lived = (execution.ended_at - execution.started_at).total_seconds()
    assert lived >= 3 * execution.input_value["s"] - 0.01, lived


def _check_named(execution: Execution) -> None:
    _succeeded(execution, {"round": 2})
    assert Flow.objects.filter(name=f"chaos mark {execution.pk}").count() == 1
    assert _lines(execution)[-1] == "second round"


def _check_chain(execution: Execution) -> None:
    depth = execution.input_value["depth"]
    _succeeded(execution, {"depth": depth})
    assert Execution.objects.filter(root_id=execution.pk).count() == depth + 1


def _check_errors(execution: Execution) -> None:
    assert (execution.status, execution.message) == ("ENDED_ERROR", "the end that was wanted"), (
        execution.message
    )
    assert execution.output_value == {"caught": "as planned"}
    assert len(_children(execution)) == 1


KINDS = (
    Kind("steps", STEPS, lambda chance: {"steps": chance.randint(5, 25)}, _check_steps),
    Kind("family", FAMILY, lambda chance: {"s": round(chance.uniform(0.05, 1.0), 2)}, _check_family),
    Kind("sleeper", SLEEPER, lambda chance: {"s": round(chance.uniform(0.1, 1.2), 2)}, _check_sleeper),
    Kind("named", NAMED, lambda chance: {}, _check_named),
    Kind("chain", CHAIN, lambda chance: {"depth": chance.randint(2, 5), "script": CHAIN}, _check_chain),
    Kind("errors", ERRORS, lambda chance: {}, _check_errors),
)
