"""The supervisor's small parts: patience, addresses, words. What it does as a whole is in test_up.py."""

import io
import json
import signal
import socket
import time
from pathlib import Path

import pytest

from engine_site.children import LONGEST_BACK_OFF_SECONDS, BackOff, Part, describe_end
from engine_site.console import Console
from engine_site.environment import read_environment
from engine_site.supervisor import PortTaken, Supervisor, listen


def test_patience_grows_and_is_forgotten_after_a_calm_time() -> None:
    back_off = BackOff()
    waits = [back_off.next_wait() for _ in range(9)]
    assert waits[:4] == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_BACK_OFF_SECONDS
    back_off.restarted_at = time.monotonic() - 61
    assert back_off.next_wait() == pytest.approx(0.1)


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as refused:
            listen("127.0.0.1", port)
    said = str(refused.value)
    assert str(port) in said
    assert "PORT=" in said
    assert "\n" not in said


def test_a_foreign_address_is_named() -> None:
    with pytest.raises(PortTaken, match=r"203\.0\.113\.7"):
        listen("203.0.113.7", 0)


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "killed by SIGKILL"), (-63, "killed by signal 63")],
)
def test_ends_are_told_in_words(code: int, words: str) -> None:
    assert describe_end(code) == words


def test_the_parts_lines_come_under_their_names(tmp_path: Path) -> None:
    stream = io.StringIO()
    supervisor = Supervisor(read_environment({"ENGINE_DATA": str(tmp_path)}), Console("text", stream))
    script = r"printf 'one\ntwo'; printf ' halves\n\n' >&2; printf 'no end'"
    part = Part("worker 1", ["sh", "-c", script], {})
    supervisor.parts = [part]
    supervisor._start(part)
    assert part.process is not None
    part.process.wait(10)
    supervisor.stops_asked = 1
    for _ in range(20):
        supervisor.turn(0.01)
    supervisor.close()
    assert stream.getvalue() == "worker 1 | one\nworker 1 | two halves\nworker 1 | \nworker 1 | no end\n"


def test_what_died_is_started_again_later_each_time(tmp_path: Path) -> None:
    stream = io.StringIO()
    environment = read_environment({"ENGINE_DATA": str(tmp_path), "DATABASE_URL": "postgresql:///unused"})
    supervisor = Supervisor(environment, Console("text", stream))
    part = Part("worker 1", ["sh", "-c", "kill -KILL $$"], {})
    supervisor.parts = [part]
    supervisor._start(part)
    deadline = time.monotonic() + 10
    while stream.getvalue().count("ended (killed by SIGKILL)") < 3 and time.monotonic() < deadline:
        supervisor.turn(0.02)
    supervisor._end([part], 5)
    supervisor.close()
    said = stream.getvalue()
    assert [f"again in {seconds} s" in said for seconds in (0.1, 0.2, 0.4)] == [True, True, True]


def test_a_part_that_ignores_term_is_killed(tmp_path: Path) -> None:
    stream = io.StringIO()
    environment = read_environment({"ENGINE_DATA": str(tmp_path), "DATABASE_URL": "postgresql:///unused"})
    supervisor = Supervisor(environment, Console("text", stream))
    part = Part("web", ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"], {})
    supervisor.parts = [part]
    supervisor._start(part)
    deadline = time.monotonic() + 10
    while "deaf" not in stream.getvalue() and time.monotonic() < deadline:
        supervisor.turn(0.02)
    supervisor.stops_asked = 1
    supervisor._end([part], 0.3)
    supervisor.close()
    assert part.process is not None
    assert part.process.returncode == -signal.SIGKILL
    assert "did not stop" in stream.getvalue()


def test_json_logs_are_json_from_the_first_line() -> None:
    stream = io.StringIO()
    console = Console("json", stream)
    console.say("Ready.", warning=True)
    console.pass_on("web", '{"from": "web"}')
    console.show_block([("Open", "http://localhost:8000/")])
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[0] | {"level": "WARNING", "message": "Ready.", "role": "engine"} == lines[0]
    assert lines[1] == {"from": "web"}
    assert "http://localhost:8000/" in lines[2]["message"]


def test_no_colour_where_no_person_looks() -> None:
    stream = io.StringIO()
    Console("text", stream).say("Ready.", warning=True)
    assert "\x1b" not in stream.getvalue()
