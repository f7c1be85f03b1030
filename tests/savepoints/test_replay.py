"""A resumed script gets the answers, the time and the chance it had before, and writes nothing twice."""

import pytest

from executions.models import Execution, LogLine, Savepoint
from executions.operations import cancel_executions
from flows.models import Flow
from flows.operations import save_flow
from tests.executions.stage import Stage, wait_until
from tests.savepoints.strikes import Strikes, answered, is_waiting_unloaded

pytestmark = pytest.mark.process

LOOKS = """
import datetime, os, random, secrets, time, uuid
from datetime import date
from datetime import datetime as moment
from time import time as now

def look():
    return [
        time.time(), now(), time.time_ns(), time.strftime("%c"), moment.now().isoformat(), moment.utcnow().isoformat(),
        datetime.datetime.today().isoformat(), moment.now(datetime.UTC).isoformat(), date.today().isoformat(),
        str(uuid.uuid4()), random.random(), random.sample(range(1000), 3), secrets.token_hex(8),
        os.urandom(8).hex(), str(uuid.uuid1())[14:],
    ]

def handler(system, this, inputs):
    first = look()
    seen = []
    for n in range(8):
        seen.append(look())
        this.log("step", n, seen[-1])
        print("said", n)
        this.set_output(str(n), seen[-1])
        time.sleep(0.15)
    this.set_output(first=first, again=seen)
"""


@pytest.mark.parametrize("role", ["flow", "host"])
@pytest.mark.parametrize("number", [1, 5])
def test_the_clock_and_chance_are_the_same_after_a_kill(
    stage: Stage, strikes: Strikes, role: str, number: int
) -> None:
    execution = stage.start(LOOKS)
    strikes.kill_at(execution, number, role)
    ended = stage.ended(execution)
    assert ended.status == "ENDED_SUCCESS", ended.message
    assert ended.attempt >= 2
    output = ended.output_value
    for n in range(8):
        assert output["again"][n] == output[str(n)], f"step {n} saw something else"
    said = [text for text in stage.log(execution) if text.startswith(("step", "said"))]
    assert [text.split()[:2] for text in said] == [
        [word, str(n)] for n in range(8) for word in ("step", "said")
    ]
    counted = LogLine.objects.filter(execution=execution, seq__isnull=False).order_by("number")
    assert list(counted.values_list("seq", flat=True)) == list(range(1, 17))


CHILDREN = """
HEAD = "def handler(system, this, inputs):\\n    this.log('only once')\\n"
CHILD = HEAD + "    this.sleep(0.2)\\n    return {'n': inputs['n']}"

def handler(system, this, inputs):
    free = [this.script(CHILD, {'n': n}, wait=False, name=f'free {n}') for n in range(3)]
    awaited = this.script(CHILD, {'n': 7}, name='awaited').get('output_value')
    this.wait_for(free)
    this.set_output(awaited=awaited, free=[each.get('output_value') for each in free])
    mark = system.flow('mark of ' + this.get('id')).save(script='def handler(system, this): pass')
    this.sleep(0.3)
    this.log('done')
"""


@pytest.mark.parametrize("role", ["flow", "host"])
@pytest.mark.parametrize("number", [2, 4])
def test_children_and_records_are_made_once(stage: Stage, strikes: Strikes, role: str, number: int) -> None:
    execution = stage.start(CHILDREN)
    strikes.kill_at(execution, number, role)
    ended = stage.ended(execution)
    assert ended.status == "ENDED_SUCCESS", ended.message
    assert sorted(each.name for each in stage.children(execution)) == [
        "awaited",
        "free 0",
        "free 1",
        "free 2",
    ]
    for each in stage.children(execution):
        assert stage.log(each).count("only once") == 1
    assert ended.output_value == {"awaited": {"n": 7}, "free": [{"n": 0}, {"n": 1}, {"n": 2}]}
    assert Flow.objects.filter(name=f"mark of {execution.pk}").count() == 1
    assert stage.log(execution).count("done") == 1


ERRORS = """
import flow_api
import time

def handler(system, this, inputs):
    caught = []
    try:
        this.script("def handler(system, this): raise ValueError('the child broke')", name='broken')
    except flow_api.DependencyFailedError as error:
        caught.append([type(error).__name__, str(error), error.execution.get('id')])
    try:
        system.flow('there is no such flow').get('script')
    except flow_api.ResourceNotFoundError as error:
        caught.append([type(error).__name__, str(error)])
    try:
        this.set_output(bad=object())
    except flow_api.EngineException as error:
        caught.append([type(error).__name__])
    this.set_output(before=caught)
    this.sleep(0.5)
    time.sleep(0.3)
    this.set_output(after=caught)
"""


@pytest.mark.parametrize("role", ["flow", "host"])
def test_recorded_errors_are_raised_again(stage: Stage, strikes: Strikes, role: str) -> None:
    execution = stage.start(ERRORS)
    wait_until(lambda: "before" in (Execution.objects.get(pk=execution.pk).output_value or {}))
    strikes.kill(execution, role)
    ended = stage.ended(execution)
    assert ended.status == "ENDED_SUCCESS", ended.message
    assert ended.output_value["after"] == ended.output_value["before"]
    assert [each[0] for each in ended.output_value["before"]] == [
        "DependencyFailedError",
        "ResourceNotFoundError",
        "InvalidInputError",
    ]
    assert len(stage.children(execution)) == 1


def test_another_path_ends_the_execution_and_names_both_calls(stage: Stage, strikes: Strikes) -> None:
    execution = stage.start(
        """
        def handler(system, this, inputs):
            born = open('/proc/self/stat').read().split()[21]  # when this process began: another in each attempt
            this.set_output(born=born)
            if this.get('output_value')['born'] == born:
                this.save_dump('as born')
            else:
                this.set_output(born='anew')
            this.sleep(1.5)
        """
    )
    wait_until(lambda: Savepoint.objects.filter(execution=execution, name="as born").exists())
    strikes.kill(execution, "host")
    ended = stage.ended(execution)
    assert (ended.status, ended.reason) == ("ENDED_ERROR", "replay_mismatch")
    saved = Savepoint.objects.get(execution=execution, name="as born")
    assert f"was savepoint.save in line {saved.line} before" in ended.message
    assert f"is execution.set_output in line {saved.line + 2} now" in ended.message
    assert "Fork this execution" in ended.message, "it says what to do"


def test_other_arguments_are_tolerated_with_a_warning(stage: Stage, strikes: Strikes) -> None:
    execution = stage.start(
        """
        import time

        def handler(system, this, inputs):
            born = open('/proc/self/stat').read().split()[21]
            this.set_output(born=born)
            time.sleep(0.7)
            this.set_output(end=True)
        """
    )
    strikes.kill_at(execution, 1, "flow")
    ended = stage.ended(execution)
    assert ended.status == "ENDED_SUCCESS", ended.message
    (warning,) = LogLine.objects.filter(
        execution=execution, level="warning", text__contains="other arguments"
    )
    assert "execution.set_output" in warning.text and "its recorded answer stands" in warning.text


def test_a_child_that_ends_while_every_host_is_dead(stage: Stage, strikes: Strikes) -> None:
    """The wait is taken up where it was written down, though its end came while nobody was there."""
    execution = stage.start(
        """
        def handler(system, this, inputs):
            gate = this.script("def handler(system, this): pass", name='gate', run=False)
            this.set_output(gate=gate.get('id'))
            try:
                gate.wait()
            except Exception as error:
                this.set_output(error=type(error).__name__, about=error.execution.get('status'))
        """
    )
    stage.in_status(execution, "WAITING_FOR_DEPENDENCY")
    (gate,) = stage.children(execution)
    for worker in strikes.fleet.workers:
        worker.kill_all()  # with no sweeper left, too
    cancel_executions([gate.pk])
    strikes.fleet.have(workers=2, slots=4, SLEEP_MAX_SECONDS="1")
    ended = stage.ended(execution)
    assert ended.output_value == {
        "gate": str(gate.pk),
        "error": "DependencyFailedError",
        "about": "ENDED_CANCELLED",
    }


def test_a_sleep_that_is_over_while_the_host_is_dead(stage: Stage, strikes: Strikes) -> None:
    execution = stage.start("this.sleep(0.8)\nthis.set_output(woke=True)")
    stage.in_status(execution, "SLEEPING")
    strikes.kill(execution, "host")
    ended = stage.ended(execution)
    assert ended.output_value == {"woke": True}
    assert Savepoint.objects.filter(execution=execution, call="sleep").count() == 1


@pytest.mark.parametrize("timeout", [0.5, 2.5], ids=["in memory", "out of memory"])
def test_a_waits_time_limit_survives(stage: Stage, strikes: Strikes, timeout: float) -> None:
    execution = stage.start(
        f"""
        import flow_api
        def handler(system, this, inputs):
            gate = this.script("def handler(system, this): pass", name='gate', run=False)
            try:
                gate.wait(timeout={timeout})
            except flow_api.DependencyTimeoutError:
                this.set_output(timed_out=True)
        """
    )
    stage.in_status(execution, "WAITING_FOR_DEPENDENCY")
    if timeout < 1:
        strikes.kill(execution, "flow")
    else:
        wait_until(lambda: is_waiting_unloaded(execution))
    ended = stage.ended(execution)
    assert ended.output_value == {"timed_out": True}
    assert Savepoint.objects.filter(execution=execution, call="execution.wait").count() == 1
    assert answered(execution) == Savepoint.objects.filter(execution=execution).count()


def test_the_script_is_pinned_while_its_flow_is_edited(stage: Stage, strikes: Strikes) -> None:
    flow = stage.flow("edited while it sleeps", "this.sleep(4)\nthis.set_output(version='old')")
    execution = stage.start_flow(flow)
    wait_until(lambda: is_waiting_unloaded(execution), "it left memory")
    save_flow(flow, by=stage.cast.root, script="def handler(system, this): this.set_output(version='new')")
    after = stage.start_flow(flow)
    assert stage.ended(execution).output_value == {"version": "old"}
    assert stage.ended(after).output_value == {"version": "new"}
