"""What `system` and `this` mean, shown by what they ask of the host and what they make of its answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.flow_process.peer import OWN_ID, Refusal, Told

pytestmark = pytest.mark.process

CHILD = {
    "id": "c-1",
    "name": "child",
    "type": "FLOW",
    "status": "ENDED_SUCCESS",
    "message": "",
    "output_value": None,
}
Handler = Callable[..., Told]


def start(args: dict[str, Any]) -> dict[str, Any]:
    return CHILD


def test_a_handler_may_take_two_or_three_parameters(run: Handler) -> None:
    script = "def handler(system, this{more}):\n    return this.success({value})"
    two = run(script.format(more="", value='"two"'))
    three = run(script.format(more=", inputs", value='inputs["a"]'), inputs={"a": "three"})
    wrapped = run(
        """
        import functools
        def logged(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args)
            return wrapper
        @logged
        def handler(system, this):
            return this.success("wrapped")
        """
    )
    starred = run("def handler(*args):\n    return len(args)", inputs=[])
    assert [told.end["message"] for told in (two, three, wrapped)] == ["two", "three", "wrapped"]  # type: ignore[index]
    assert starred.end and starred.end["output"] == 3


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("x = 1", "defines no function handler"),
        ("handler = 5", "defines no function handler"),
        ("def handler(this):\n    pass", "handler(this) must take (system, this, inputs) or (system, this)"),
        ("def handler(a, b, c, d):\n    pass", "handler(a, b, c, d) must take"),
        ("async def handler(system, this):\n    pass", "neither async nor a generator"),
        ("def handler(system, this, *, key):\n    pass", "must be a plain function"),
    ],
)
def test_a_script_without_a_proper_handler_is_told_so(run: Handler, script: str, reason: str) -> None:
    end = run(script).end
    assert end and end["status"] == "error"
    assert reason in end["message"]


def test_inputs_that_are_null_arrive_as_an_empty_dict(handler: Handler) -> None:
    assert handler("return inputs").end["output"] == {}  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("return this.success('all done')", "success", "all done"),
        ("this.success('no return')\nraise ValueError", "success", "no return"),
        ("return this.error('bad')", "error", "bad"),
        ("this.end('success', 'over')", "success", "over"),
        ("this.end('ENDED_ERROR', 7)", "error", "7"),
        ("pass", "success", ""),
        ("try:\n    this.success('first')\nexcept Exception:\n    this.error('caught')", "success", "first"),
        ("try:\n    this.success('first')\nexcept:\n    pass\nreturn 5", "success", "first"),
        ("try:\n    this.error('first')\nexcept:\n    this.success('second')", "error", "first"),
        ("raise SystemExit(0)", "error", "SystemExit: 0"),
        ("raise KeyboardInterrupt", "error", "KeyboardInterrupt"),
        ("import flow_api\nraise flow_api.ExecutionCancel('stop')", "cancelled", "stop"),
    ],
)
def test_ways_to_end(handler: Handler, body: str, status: str, message: str) -> None:
    end = handler(body).end
    assert end and (end["status"], end["message"]) == (status, message)
    assert end["traceback"] is None or "flow_api/" not in end["traceback"]


def test_a_returned_value_is_the_output_if_it_can_be_stored(handler: Handler) -> None:
    told = handler("import datetime\nreturn {'at': datetime.date(2024, 1, 2)}")
    assert told.end and told.end["has_output"] and told.end["output"] == {"at": "2024-01-02"}
    told = handler("return {'x': object()}")
    assert told.end and told.end["status"] == "success" and not told.end["has_output"]
    assert "the value that handler returned.x" in told.logs[-1]["text"]


def test_what_is_too_large_is_said_and_not_sent(handler: Handler) -> None:
    told = handler("return 'x' * (65 << 20)")
    assert told.end and told.end["status"] == "error" and "too large" in told.end["message"]
    told = handler("raise ValueError('x' * 2_000_000)")
    assert told.end and len(told.end["message"]) <= 256 * 1024 >= len(told.end["traceback"])


def test_an_unhandled_exception_is_reported_as_its_author_reads_it(run: Handler) -> None:
    told = run(
        """
        import flow_api
        def part(system):
            system.flow("nowhere").get("id")
        def handler(system, this, inputs):
            try:
                part(system)
            except flow_api.EngineException as error:
                raise ValueError("bad") from error
        """,
        {"record.get": lambda args: refuse("ResourceNotFoundError", "there is no flow 'nowhere'")},
    )
    assert told.end and told.end["message"] == "ValueError: bad"
    assert told.end["line"] == 9
    trace = told.end["traceback"]
    assert 'File "test-flow.py", line 4, in part\n    system.flow("nowhere").get("id")' in trace
    assert "ResourceNotFoundError: there is no flow 'nowhere'" in trace
    assert "channel.py" not in trace and "frame.py" not in trace and "zygote.py" not in trace


def refuse(type_name: str, message: str, **data: Any) -> Any:
    raise Refusal(type_name, message, **data)


def test_a_syntax_error_names_its_line(run: Handler) -> None:
    told = run("def handler(system, this):\n    x = = 1\n")
    assert told.end and told.end["status"] == "error" and told.end["line"] == 2
    assert told.end["message"].startswith("SyntaxError")


def test_the_log_and_the_streams_are_one_sequence(handler: Handler) -> None:
    told = handler(
        """
        import sys
        print("out")
        this.log("words", 1)
        print("to err", file=sys.stderr)
        this.log({"a": [1]})
        this.log("both", {"a": 1}, key="value")
        this.log("careful", level="warning")
        sys.stdout.write("half")
        this.log(level=5)
        sys.stdout.write(" line\\nand ")
        sys.stdout.buffer.write("grüße".encode())
        """
    )
    assert [log["seq"] for log in told.logs] == list(range(1, len(told.logs) + 1))
    lines = [(log["stream"], log["level"], log["text"], log["data"]) for log in told.logs]
    assert lines == [
        ("stdout", "info", "out", None),
        ("log", "info", "words 1", None),
        ("stderr", "error", "to err", None),
        ("log", "info", None, {"a": [1]}),
        ("log", "info", "both", {"key": "value", "values": [{"a": 1}]}),
        ("log", "warning", "careful", None),
        ("log", "info", None, {"level": 5}),
        ("stdout", "info", "half line", None),
        ("stdout", "info", "and grüße", None),
    ]
    assert told.logs[0]["line"] == 4


def test_output_of_other_programs_arrives_raw(handler: Handler) -> None:
    told = handler(
        """
        import os, subprocess
        subprocess.run(["/bin/sh", "-c", "echo from shell; echo to err >&2"], check=True)
        os.write(1, b"direct\\n")
        """
    )
    assert told.end and told.end["status"] == "success"
    assert told.raw.splitlines() == [b"from shell", b"to err", b"direct"]


def test_keywords_fall_into_options_fields_and_inputs(handler: Handler) -> None:
    told = handler(
        """
        import datetime
        this.flow("child", {"a": 1}, name="n", wait=False, b=datetime.date(2024, 1, 2), priority=3,
                  init={"project_id": "p-1", "is_productive": False})
        this.flow("child", init={"input_value": {"c": 1}}, wait=system.return_when.ALL_ENDED)
        this.script("def handler(s, t): pass", x=1, run=False)
        this.flow("0190a000-0000-7000-8000-000000000002")
        """,
        {"execution.start": start},
    )
    assert told.end and told.end["status"] == "success", told.end
    first, second, third, fourth = told.arguments("execution.start")
    assert first == {
        "type": "FLOW", "select": "child", "by": "name", "script": None, "run": True, "wait": None,
        "inputs": {"a": 1, "b": "2024-01-02"},
        "fields": {"name": "n", "priority": 3, "project_id": "p-1", "is_productive": False},
    }  # fmt: skip
    assert (second["inputs"], second["wait"], second["fields"]) == ({"c": 1}, "ALL_ENDED", {})
    assert (third["type"], third["run"], third["wait"]) == ("SCRIPT", False, None)
    assert third["script"] == "def handler(s, t): pass" and third["inputs"] == {"x": 1}
    assert (fourth["by"], fourth["wait"], fourth["inputs"]) == ("id", "ALL_SUCCEEDED", None)


def test_calls_carry_their_number_and_line(handler: Handler) -> None:
    told = handler(
        "this.set_output('a', 1)\nthis.set_output(b=2)\n", {"execution.set_output": lambda args: None}
    )
    assert [(call["n"], call["call"], call["line"]) for call in told.calls] == [
        (1, "execution.set_output", 3),
        (2, "execution.set_output", 4),
    ]
    assert told.arguments("execution.set_output") == [{"values": {"a": 1}}, {"values": {"b": 2}}]


def test_a_failed_child_climbs_to_its_parent_with_the_execution(handler: Handler) -> None:
    failed = CHILD | {"status": "ENDED_ERROR", "message": "boom"}
    answers = {
        "execution.start": lambda args: refuse("DependencyFailedError", "the child failed", execution=failed),
        "record.get": lambda args: {"message": "boom"} if args["select"] == "c-1" else {},
    }
    told = handler(
        """
        try:
            this.flow("child")
        except flow_api.DependencyFailedError as error:
            return [str(error), error.execution.get("id"), error.execution.get("message")]
        """,
        answers,
    )
    assert told.end and told.end["output"] == ["the child failed", "c-1", "boom"]
    uncaught = handler("this.flow('child')", answers)
    assert uncaught.end and uncaught.end["status"] == "error"
    assert "DependencyFailedError: the child failed" in uncaught.end["message"]


def test_waiting_names_ids_and_returns_executions(handler: Handler) -> None:
    told = handler(
        """
        one = this.flow("child", wait=False)
        assert one.wait() is one
        found = this.wait_for(one, "c-2", [one], return_when=system.return_when.FIRST_ENDED, timeout=5)
        this.sleep(0.5)
        this.sleep_until(1.5e9)
        system.execution("c-9").wait(return_when="ALL_ENDED")
        return [item.get("id") for item in found]
        """,
        {
            "execution.start": start,
            "execution.wait": lambda args: [CHILD | {"id": id_} for id_ in args["ids"]],
            "sleep": lambda args: None,
        },
    )
    assert told.end and told.end["output"] == ["c-1", "c-2", "c-1"]
    assert told.arguments("execution.wait") == [
        {"ids": ["c-1"], "return_when": "ALL_SUCCEEDED", "timeout": None},
        {"ids": ["c-1", "c-2", "c-1"], "return_when": "FIRST_ENDED", "timeout": 5.0},
        {"ids": ["c-9"], "return_when": "ALL_ENDED", "timeout": None},
    ]
    assert told.arguments("sleep") == [{"seconds": 0.5}, {"until": 1.5e9}]


def test_created_executions_run_clone_and_cancel(handler: Handler) -> None:
    told = handler(
        """
        child = this.flow("child", run=False)
        child.run()
        child.run_async()
        child.clone(name="again", wait=False, a=1)
        child.cancel()
        """,
        dict.fromkeys(("execution.start", "execution.run", "execution.clone", "execution.cancel"), start),
    )
    assert told.end and told.end["status"] == "success", told.end
    runs = told.arguments("execution.run")
    assert runs == [{"id": "c-1", "wait": "ALL_SUCCEEDED"}, {"id": "c-1", "wait": None}]
    assert told.arguments("execution.clone") == [
        {"id": "c-1", "name": "again", "inputs": {"a": 1}, "fields": {}, "wait": None}
    ]
    assert told.arguments("execution.cancel") == [{"id": "c-1"}]


def test_cancelling_oneself_ends_there(handler: Handler) -> None:
    told = handler("this.cancel()\nthis.log('never')", {"execution.cancel": start})
    assert told.end and told.end["status"] == "cancelled" and told.logs == []


def test_records_are_read_and_written_by_one_call_each(handler: Handler) -> None:
    answers: dict[str, Any] = {
        "record.get": lambda args: {field: f"<{field}>" for field in args["fields"] or ["id", "name"]},
        "record.save": lambda args: {"id": "r-1", "name": "x"},
        "record.exists": lambda args: False,
        "record.delete": lambda args: None,
        "record.restore": lambda args: None,
        "record.duplicate": lambda args: {"id": "r-2", "name": args["name"]},
        "record.list": lambda args: [{"id": "r-1", "name": "a"}, {"id": "r-2", "name": "b"}],
    }
    told = handler(
        """
        project = system.project("my-project")
        first = project.get("id")
        both = system.flow("f").get("name", "description")
        saved = system.setting("s", value={"a": 1}).get("id")
        system.widget("w").save(init={"a": 1}, b=2, c=flow_api.NotSet)
        there = system.flow("f").exists()
        system.flow("f").delete()
        system.flow("f").duplicate("g")
        own = this.get("status")
        this.save(message="half way", output_value=[1])
        user = system.get_own_user().get("id")
        names = [flow.get("id") for flow in system.flows(filter_={"field": "name", "op": "like", "value": "a%"})]
        assert isinstance(system.flow("f"), flow_api.Flow) and system.get_env_name() == "test"
        return [first, both, saved, there, own, user, names]
        """,
        answers,
    )
    assert told.end and told.end["status"] == "success", told.end
    assert told.end["output"] == [
        "<id>",
        ["<name>", "<description>"],
        "r-1",
        False,
        "<status>",
        "u-1",
        ["r-1", "r-2"],
    ]
    selection = {"type": "project", "select": "my-project", "by": "name"}
    assert told.arguments("record.get")[0] == selection | {"fields": ["id"]}
    saves = told.arguments("record.save")
    assert saves[0] == {"type": "setting", "select": "s", "by": "name", "fields": {"value": {"a": 1}}}
    assert saves[1]["type"] == "widget" and saves[1]["fields"] == {"a": 1, "b": 2}
    assert saves[2] == {
        "type": "execution", "select": OWN_ID, "by": "id",
        "fields": {"message": "half way", "output_value": [1]},
    }  # fmt: skip
    assert told.arguments("record.list")[0]["type"] == "flow"


def test_what_cannot_be_stored_is_refused_before_it_is_sent(handler: Handler) -> None:
    told = handler("this.flow('child', rows=[{'when': object()}])", {"execution.start": start})
    assert told.end and "InvalidInputError: inputs.rows[0].when: " in told.end["message"]
    assert told.arguments("execution.start") == []


def test_errors_arrive_by_name_and_unknown_ones_as_their_base(handler: Handler) -> None:
    for name, shown in (
        ("PermissionDenied", "PermissionDenied: no"),
        ("Strange", "EngineException: Strange: no"),
    ):
        told = handler(
            "system.flow('x').get('id')", {"record.get": lambda args, name=name: refuse(name, "no")}
        )
        assert told.end and told.end["message"].endswith(shown)


def test_children_draw_different_random_numbers(handler: Handler) -> None:
    body = "import random, uuid\nreturn [random.random(), str(uuid.uuid4())]"
    one, other = handler(body).end, handler(body).end
    assert one and other and one["output"][0] != other["output"][0] and one["output"][1] != other["output"][1]


def test_useful_libraries_are_there_and_ours_are_not(handler: Handler) -> None:
    told = handler(
        """
        import importlib
        import yaml, httpx, dateutil.parser, ssl, zoneinfo, sqlite3
        found = []
        for name in ("django", "psycopg", "executions", "records", "engine_site", "pytest", "django_q"):
            try:
                importlib.import_module(name)
                found.append(name)
            except ImportError:
                pass
        return [found, yaml.safe_load("a: [1]"), str(zoneinfo.ZoneInfo("Europe/Vienna"))]
        """
    )
    assert told.end and told.end["output"] == [[], {"a": [1]}, "Europe/Vienna"], told.end
