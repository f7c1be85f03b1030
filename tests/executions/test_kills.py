"""SIGKILL of every process of a worker, idle and busy: work goes on within seconds, nothing is lost or doubled,
and nothing is left behind.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from executions.database import fetch
from executions.lease import LOCK_CLASS
from executions.lifecycle import Status
from executions.models import FROZEN_AFTER_SECONDS, Execution, Process, Transition
from tests.executions.cluster import ROLES, Fleet, Worker, alive, wait_gone
from tests.executions.stage import Stage, wait_until
from tests.invariants import check_invariants, tree_of

pytestmark = pytest.mark.process
OK = Status.ENDED_SUCCESS
AGAIN_WITHIN = 5.0
BUSY_MACHINE = 3.0  # this many times longer is still right when others use the machine


@pytest.fixture
def theatre(stage: Stage, fleet: Fleet) -> Iterator[Stage]:
    """A stage whose workers may be killed: what has lost its command is started again by the test."""
    yield stage
    for worker in fleet.workers:
        if worker.process.poll() is not None:
            worker.kill_all()
    check_invariants(stage.ids)


def restart_if_dead(fleet: Fleet) -> None:
    """Do what the supervisor does when a part has ended."""
    assert fleet.shape is not None
    shape = fleet.shape
    fleet.have(workers=shape.workers, slots=shape.slots, **dict(shape.variables))


@pytest.mark.parametrize("role", [role for role in ROLES if role != "flow"])
def test_an_idle_process_is_killed(theatre: Stage, fleet: Fleet, role: str) -> None:
    (worker,) = fleet.have(workers=1, slots=2)
    assert theatre.run("return 1").status == OK
    old = {name: [each.pid for each in found] for name, found in worker.roles().items()}
    before = time.monotonic()
    killed = worker.kill(role)
    assert killed, f"there is no {role}"
    execution = theatre.start("return 2")
    if role == "command":
        wait_gone([pid for pids in old.values() for pid in pids])
        restart_if_dead(fleet)
    assert theatre.ended(execution).status == OK
    assert time.monotonic() - before < AGAIN_WITHIN * BUSY_MACHINE
    wait_gone(killed)
    wait_gone([pid for name, pids in old.items() for pid in pids if name not in ("command", role)])


@pytest.mark.parametrize("role", ROLES)
def test_a_busy_process_is_killed(theatre: Stage, fleet: Fleet, role: str) -> None:
    (worker,) = fleet.have(workers=1, slots=4)
    running = theatre.start(
        """
        import time
        this.log('ready')
        until = time.monotonic() + 60
        while not system.executions(filter_={'field': 'name', 'op': 'eq', 'value': inputs['word']}):
            assert time.monotonic() < until
            time.sleep(0.05)
        return 1
        """,
        inputs={"word": f"go on after {role}"},
    )
    waiting = theatre.start("this.script('def handler(s, t): t.sleep(1.5)')\nreturn 2")
    sleeping = theatre.start("this.sleep(2)\nreturn 3")
    theatre.says(running, "ready")
    theatre.in_status(waiting, Status.WAITING_FOR_DEPENDENCY)
    theatre.in_status(sleeping, Status.SLEEPING)
    flows = worker.pids("flow")
    assert flows
    killed = worker.kill(role)
    assert killed
    if role == "command":
        wait_gone(list(worker.seen))
        restart_if_dead(fleet)
    wait_gone(flows)
    theatre.start("return 0", name=f"go on after {role}")
    queued = theatre.start("return 4")
    theatre.ended(queued, running, waiting, sleeping, seconds=60)
    for execution, value in ((running, 1), (waiting, 2), (sleeping, 3), (queued, 4)):
        execution.refresh_from_db()
        assert (execution.status, execution.output_value) == (OK, value), execution.message
    assert len(theatre.children(waiting)) == 1, "the child was started twice"


MIXED = {
    "trivial": "return 1",
    "logs": "for n in range(20): this.log(n)",
    "busy": "import time\nuntil = time.monotonic() + 0.3\nwhile time.monotonic() < until: pass",
    "sleeps": "this.sleep(0.3)",
    "child": "this.script('def handler(s, t): return 1', name='only one')",
    "children": "import flow_api\nfound = [this.script('def handler(s, t): t.sleep(0.2)', wait=False, name=f'c{n}')"
    " for n in range(3)]\nthis.wait_for(found)",
    "fails": "this.error('as it should')",
    "outputs": "for n in range(5): this.set_output(f'k{n}', n)",
}


def test_two_hundred_while_every_process_is_killed_once(theatre: Stage, fleet: Fleet) -> None:
    seed = int(os.environ.get("SEED", time.time_ns() % 100_000))
    dice = random.Random(seed)
    print(f"SEED={seed}")
    (worker,) = fleet.have(workers=1, slots=8)
    kinds = list(MIXED)
    started: list[tuple[str, Execution]] = []
    victims = dice.sample(ROLES, len(ROLES))
    for number in range(200):
        kind = kinds[number % len(kinds)]
        started.append((kind, theatre.start(MIXED[kind], name=kind)))
        if number % 25 == 24 and victims:
            role = victims.pop()
            wait_until(lambda worker=worker, role=role: worker.kill(role), f"there was a {role} to kill")
            if role == "command":
                wait_gone(list(worker.seen))
                restart_if_dead(fleet)
                (worker,) = fleet.workers
            time.sleep(dice.random())
    assert not victims
    theatre.all_ended([execution.pk for _, execution in started], seconds=90)
    theatre.all_ended(tree_of(theatre.ids), seconds=30)
    for kind, execution in started:
        execution.refresh_from_db()
        expected = Status.ENDED_ERROR if kind == "fails" else OK
        assert execution.status == expected, f"{kind}: {execution.reason} {execution.message}"
        children = theatre.children(execution)
        names = sorted(child.name for child in children)
        assert names == {"child": ["only one"], "children": ["c0", "c1", "c2"]}.get(kind, []), (
            "doubled or lost"
        )
        if kind == "outputs":
            assert execution.output_value == {f"k{n}": n for n in range(5)}
        if kind == "logs":
            said = [line for line in theatre.log(execution) if line.isdigit()]
            assert said == [str(n) for n in range(20)]


def test_a_frozen_host_is_given_up_and_its_late_writes_are_refused(theatre: Stage, fleet: Fleet) -> None:
    frozen, _other = fleet.have(workers=2, slots=2)
    host = None
    for _ in range(40):  # whichever takes it
        execution = theatre.start(
            """
            import time
            this.set_output(step=1)
            this.log('ready')
            time.sleep(3)
            this.set_output(step=2)
            return 'done'
            """
        )
        theatre.says(execution, "ready")
        execution.refresh_from_db()
        host = frozen.host()
        assert host is not None
        if execution.host_id == host.pk:
            break
    assert host is not None and execution.host_id == host.pk
    stopped = [*frozen.pids("host")]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        # As if it had been so for long: the heartbeat is what others see of it.
        fetch(
            "UPDATE executions_process SET heartbeat_at = clock_timestamp() - %s::float8 * interval '1 second'"
            " WHERE id = %s",
            (FROZEN_AFTER_SECONDS + 1, host.pk),
        )
        theatre.in_attempt(execution, 2)
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    theatre.ended(execution)
    assert execution.status == OK and execution.attempt == 2, execution.message
    assert execution.output_value == {"step": 2}
    wait_until(lambda: not any(alive(pid) for pid in stopped), "it went when it heard that it was given up")
    wait_until(lambda: (found := frozen.host()) is not None and found.pk != host.pk, "and started afresh")
    ends = Transition.objects.filter(execution=execution, new__startswith="ENDED")
    assert ends.count() == 1


@pytest.mark.parametrize("asked", [["command"], ROLES[-2::-1]], ids=["the command", "all but the flows"])
def test_a_worker_stops_in_good_order(theatre: Stage, fleet: Fleet, asked: list[str]) -> None:
    (worker,) = fleet.have(workers=1, slots=4)
    running = theatre.start(
        """
        import time
        this.log('ready')
        for _ in range(100):
            time.sleep(0.05)
            this.get('name')
        return 1
        """
    )
    stubborn = theatre.start(
        """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        this.log('ready')
        until = time.monotonic() + 4
        while time.monotonic() < until: pass
        return 2
        """
    )
    sleeping = theatre.start("this.log('ready')\nthis.sleep(3)\nreturn 3")
    for execution in (running, stubborn, sleeping):
        theatre.says(execution, "ready")
    found = worker.roles()
    before = time.monotonic()
    for each in [each for role in asked for each in found[role]]:
        each.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        worker.process.wait(30)
    assert worker.process.returncode == 0, fleet.tail()
    assert time.monotonic() - before < 15
    assert worker.leftovers() == []
    assert not Process.objects.filter(ended_at=None, role__in=["host", "worker"]).exists()
    rows = Execution.objects.filter(pk__in=[running.pk, stubborn.pk, sleeping.pk])
    assert not rows.exclude(host=None).exists(), "it kept what it held"
    restart_if_dead(fleet)
    theatre.ended(running, stubborn, sleeping)
    for execution, value in ((running, 1), (stubborn, 2), (sleeping, 3)):
        execution.refresh_from_db()
        assert (execution.status, execution.output_value) == (OK, value), execution.message


def test_the_claimer_loses_its_ear(theatre: Stage, fleet: Fleet) -> None:
    (worker,) = fleet.have(workers=1, slots=4)
    assert theatre.run("return 1").status == OK
    claimer = worker.pids("pusher")
    (lease,) = Process.objects.filter(pid__in=claimer, ended_at=None)
    ears = fetch("SELECT pid FROM pg_locks WHERE classid = %s AND objid = %s", (LOCK_CLASS, lease.pk))
    assert fetch("SELECT pg_terminate_backend(%s)", ears[0]) == [(True,)]
    before = time.monotonic()
    assert theatre.run("return 2").status == OK
    assert time.monotonic() - before < AGAIN_WITHIN
    assert worker.pids("pusher") == claimer, "it need not start afresh"


def test_a_stop_at_the_moment_when_the_sentinel_is_killed(theatre: Stage, fleet: Fleet) -> None:
    (worker,) = fleet.have(workers=1, slots=4)
    worker.kill("command", signal.SIGSTOP)  # it hears of both when it goes on
    worker.kill("sentinel")
    worker.process.send_signal(signal.SIGTERM)
    worker.kill("command", signal.SIGCONT)
    with suppress(subprocess.TimeoutExpired):
        worker.process.wait(20)
    assert worker.process.returncode is not None, "it waits for what is dead"
    wait_gone(list(worker.seen))


def test_a_stopped_fleet_leaves_nothing(theatre: Stage, fleet: Fleet) -> None:
    workers = fleet.have(workers=2, slots=2)
    assert theatre.run("return 1").status == OK
    homes = {each for worker in workers for each in _homes(worker)}
    assert homes
    fleet.stop()
    for worker in workers:
        assert worker.leftovers() == []
    assert not [home for home in homes if os.path.exists(home)]
    held = fetch(
        "SELECT pid, application_name FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name IN ('engine-worker', 'engine-lease')"
    )
    assert held == []


def _homes(worker: Worker) -> list[str]:
    found = []
    for each in worker.tree():
        with suppress(psutil.NoSuchProcess):
            found += [word for word in each.cmdline() if "engine-flow-" in word and word.startswith("/")]
    return [os.path.dirname(word) for word in found]


def test_a_lost_notification_costs_a_moment_only(theatre: Stage, fleet: Fleet) -> None:
    """The connection that listens is cut: the slow look finds the work, and the worker listens again."""
    fleet.have(workers=1, slots=2)
    assert theatre.run("return 1").status == OK
    cut = fetch(
        "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a WHERE datname = current_database()"
        " AND application_name = 'engine-lease'"
    )
    assert cut
    before = time.monotonic()
    assert theatre.run("return 2").status == OK
    assert time.monotonic() - before < AGAIN_WITHIN * BUSY_MACHINE
    assert theatre.run("return 3").status == OK


def test_work_without_a_word_starts_within_two_seconds(theatre: Stage, fleet: Fleet) -> None:
    """An execution of which nobody was told, as when a notification is lost."""
    fleet.have(workers=1, slots=2)
    execution = theatre.start("return 1", run=False)
    time.sleep(0.5)
    before = time.monotonic()
    fetch(
        "WITH e AS (UPDATE executions_execution SET status = 'QUEUED', version = version + 1,"
        " ready_at = clock_timestamp() WHERE id = %s RETURNING id, version)"
        " INSERT INTO executions_transition (execution_id, old, new, reason, version, attempt, at)"
        " SELECT id, 'CREATED', 'QUEUED', '', version, 0, clock_timestamp() FROM e",
        (execution.pk,),
    )
    assert theatre.ended(execution).status == OK
    assert time.monotonic() - before < 2.0 * BUSY_MACHINE
