"""What a script can be and how it can end, in real flow processes."""

import pytest

from executions.lifecycle import Status
from executions.models import Execution
from executions.operations import cancel_execution
from tests.executions.stage import Stage

pytestmark = pytest.mark.process
OK, BAD, GONE = Status.ENDED_SUCCESS, Status.ENDED_ERROR, Status.ENDED_CANCELLED


def test_a_handler_of_two_and_of_three(play: Stage) -> None:
    two = play.start(
        "def handler(system, this):\n    this.set_output(got=this.get('input_value'))", inputs={"a": 1}
    )
    three = play.start("def handler(system, this, inputs):\n    this.set_output(got=inputs)", inputs={"a": 1})
    none = play.start("this.set_output(got=inputs)")
    for execution in (two, three):
        assert play.ended(execution).output_value == {"got": {"a": 1}}
    assert play.ended(none).output_value == {"got": {}}


@pytest.mark.parametrize(
    ("body", "status", "message", "output"),
    [
        ("pass", OK, "", None),
        ("return None", OK, "", None),
        ("return {'a': [1, 2]}", OK, "", {"a": [1, 2]}),
        ("return 'words'", OK, "", "words"),
        ("return this.success('all done')", OK, "all done", None),
        ("this.success('no return needed')", OK, "no return needed", None),
        ("return this.error('no luck')", BAD, "no luck", None),
        ("return this.end('success', 'fine')", OK, "fine", None),
        ("return this.end('error', 'not fine')", BAD, "not fine", None),
        ("return this.end('cancelled', 'enough')", GONE, "enough", None),
        ("this.set_output('a', 1)\nthis.set_output(b=2)\nthis.error('kept')", BAD, "kept", {"a": 1, "b": 2}),
        ("this.set_output(a=1)\nreturn 'not this'", OK, "", {"a": 1}),
        ("this.save(output_value=[1], message='halfway')", OK, "halfway", [1]),
        ("this.save(output_value=[1])\nthis.save(output_value=None)", OK, "", None),
        ("try:\n    this.success('x')\nexcept Exception:\n    this.error('swallowed')", OK, "x", None),
        ("try:\n    this.success('x')\nexcept BaseException:\n    pass\nreturn 5", OK, "x", None),
    ],
)
def test_how_a_handler_ends(play: Stage, body: str, status: str, message: str, output: object) -> None:
    execution = play.run(body)
    assert (execution.status, execution.message, execution.output_value) == (status, message, output)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def handler(system, this:", "SyntaxError"),
        ("#!\nx = 1", "defines no function handler"),
        ("def handler(a, b, c, d): pass", "must take (system, this, inputs)"),
        ("async def handler(system, this): pass", "plain function"),
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
        ("import django", "No module named 'django'"),
        ("raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()", "Odd"),
    ],
)
def test_errors_are_told_with_a_traceback(play: Stage, body: str, words: str) -> None:
    execution = play.run(body)
    assert execution.status == BAD and execution.reason == "raised"
    assert words in execution.message


def test_the_traceback_shows_the_script_and_nothing_of_ours(play: Stage) -> None:
    execution = play.run("deep = {'a': 1}\nreturn deep['b']", name="look up")
    assert "line 3, in handler" in execution.message and "deep['b']" in execution.message
    assert "KeyError: 'b'" in execution.message
    assert "flow_api" not in execution.message and "/work" not in execution.message


def test_log_lines_of_every_kind_in_order(play: Stage) -> None:
    execution = play.run(
        """
        import sys, subprocess
        this.log('first', 2)
        print('second')
        print('third', file=sys.stderr)
        this.log({'a': 1}, level='warning')
        this.log(key='value')
        this.log('text\\0with null', '\\ud800')
        sys.stdout.write('no line end')
        """
    )
    assert execution.status == OK, execution.message
    lines = list(execution.log_lines.order_by("number").values_list("stream", "level", "text", "data"))
    assert lines[:5] == [
        ("log", "info", "first 2", None),
        ("stdout", "info", "second", None),
        ("stderr", "error", "third", None),
        ("log", "warning", "", {"a": 1}),
        ("log", "info", "", {"key": "value"}),
    ]
    assert lines[-1][2] == "no line end" and len(lines) == 7


def test_who_and_where_it_is(play: Stage) -> None:
    execution = play.run(
        """
        this.set_output(
            user=system.get_own_user().get('username'), name=this.get('name'), project=this.project().get('name'),
            productive=this.get('is_productive'), status=this.get('status'), env=system.get_env_name(),
        )
        """,
        name="who am I",
        by=play.cast.alice,
    )
    assert execution.status == OK, execution.message
    assert execution.output_value == {
        "user": "alice",
        "name": "who am I",
        "project": "Workshop",
        "productive": True,
        "status": "RUNNING",
        "env": "development",
    }


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("{'a': [1, {'b': object()}]}", "output.x.a[1].b"),
        ("float('nan')", "output.x"),
        ("{'a': {1.5: 2}}", "output.x.a"),
        ("'half \\ud800'", "output.x"),
        ("['fine', 'null\\0']", "output.x[1]"),
        ("lambda: 1", "output.x"),
    ],
)
def test_what_cannot_be_stored_is_named_with_its_path(play: Stage, value: str, path: str) -> None:
    execution = play.run(
        f"""
        try:
            this.set_output(x={value})
        except system_errors as error:
            return {{'said': str(error)}}
        """.replace("system_errors", "__import__('flow_api').InvalidInputError")
    )
    assert execution.status == OK, execution.message
    assert execution.output_value["said"].startswith(path)


def test_values_have_one_form(play: Stage) -> None:
    execution = play.run(
        """
        import datetime, decimal, uuid
        this.set_output(
            at=datetime.datetime(2030, 1, 2, 3, 4, tzinfo=datetime.UTC), day=datetime.date(2030, 1, 2),
            price=decimal.Decimal('1.10'), number=uuid.UUID(int=5), data=b'hi', some={3, 1, 2}, pair=(1, 2),
        )
        """
    )
    assert execution.output_value == {
        "at": "2030-01-02T03:04:00+00:00",
        "day": "2030-01-02",
        "price": "1.10",
        "number": "00000000-0000-0000-0000-000000000005",
        "data": "aGk=",
        "some": [1, 2, 3],
        "pair": [1, 2],
    }


def test_the_time_limit(play: Stage) -> None:
    spinning = play.start("while True: pass", max_runtime_minutes=0.01)
    sleeping = play.start("this.sleep(60)", max_runtime_minutes=0.01)
    waiting = play.start(
        "this.script('import time\\ndef handler(s, t): time.sleep(60)')", max_runtime_minutes=0.01
    )
    fine = play.start("return 1", max_runtime_minutes=0.2)
    for execution in (spinning, sleeping, waiting):
        play.ended(execution)
        assert (execution.status, execution.reason) == (BAD, "timeout"), execution.message
        assert "0.01 minutes" in execution.message
        assert 0.5 <= execution.duration().total_seconds() < 10
    assert play.ended(fine).status == OK
    (child,) = play.children(waiting)
    assert play.ended(child).status == GONE


def test_sleep(play: Stage) -> None:
    execution = play.run(
        """
        import time
        before = time.monotonic()
        this.sleep(0.3)
        this.sleep_until(time.time() + 0.3)
        this.sleep(0)
        this.sleep_until(5)
        return time.monotonic() - before
        """
    )
    assert execution.status == OK, execution.message
    assert 0.55 <= execution.output_value < 10
    statuses = list(execution.transitions.order_by("version").values_list("new", flat=True))
    assert statuses.count(Status.SLEEPING) == 2


def test_a_sleeping_execution_says_so(play: Stage) -> None:
    execution = play.start("this.sleep(60)")
    play.in_status(execution, Status.SLEEPING)
    assert execution.waiting_for["kind"] == "time"
    cancel_execution(execution, by=play.cast.root)
    play.ended(execution)


def test_a_thread_that_still_waits_does_not_keep_a_script_from_ending(play: Stage) -> None:
    execution = play.run(
        """
        import threading, time
        threading.Thread(target=lambda: this.sleep(60), daemon=True).start()
        time.sleep(0.5)
        return 'done'
        """
    )
    assert (execution.status, execution.output_value) == (OK, "done"), execution.message


def test_what_it_used_is_noted(play: Stage) -> None:
    execution = play.run("x = bytearray(50_000_000)\nfor _ in range(300_000): pass")
    assert execution.cpu_seconds is not None and execution.cpu_seconds > 0
    assert execution.peak_memory_bytes is not None and execution.peak_memory_bytes > 50_000_000
    assert Execution.objects.get(pk=execution.pk).attempt == 1
