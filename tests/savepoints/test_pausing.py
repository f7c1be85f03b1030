"""Pause and resume in every state, for trees, projects and all: on the tables, then once with real workers."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.db.models import Q
from django.utils import timezone

from executions import hosting, moves
from executions.lifecycle import ENDED, Status
from executions.models import Execution
from executions.operations import AlreadyEnded, cancel_executions
from executions.pausing import (
    NotPaused,
    end_maintenance,
    pause_execution,
    pause_executions,
    pause_project,
    resume_execution,
    resume_executions,
    resume_project,
    start_maintenance,
)
from projects.models import Project
from tests.executions.stage import Stage, wait_until
from tests.savepoints.actors import Actor, Plan, child, drive, start_plan, sweep
from tests.savepoints.strikes import Strikes, answered

SLEEP: Plan = [["sleep", {"seconds": 3600}]]
OUTPUT = ["execution.set_output", {"values": {"a": 1}}]


def status_of(key: UUID) -> str:
    return Execution.objects.values_list("status", flat=True).get(pk=key)


def begin(stage: Stage, plan: Plan, **options: object) -> Execution:
    execution = start_plan(plan, by=stage.cast.root, project=stage.cast.workshop, **options)
    stage.ids.append(execution.pk)
    return execution


# -- One execution, in every state ---------------------------------------------------------------------------


def test_a_queued_one_is_paused_at_once_and_queued_again(stage: Stage, actor: Actor) -> None:
    execution = begin(stage, [OUTPUT])
    pause_execution(execution, by=stage.cast.root)
    assert execution.status == Status.PAUSED
    assert actor.claim() == []
    resume_execution(execution, by=stage.cast.root)
    assert execution.status == Status.QUEUED
    drive(actor, [execution.pk])
    assert status_of(execution.pk) == Status.ENDED_SUCCESS


def test_a_scheduled_one_keeps_its_time(stage: Stage, actor: Actor) -> None:
    later = timezone.now() + timezone.timedelta(hours=1)
    execution = begin(stage, [OUTPUT], scheduled_for=later)
    pause_execution(execution, by=stage.cast.root)
    assert (execution.status, execution.ready_at) == (Status.PAUSED, None)
    resume_execution(execution, by=stage.cast.root)
    assert (execution.status, execution.ready_at) == (Status.SCHEDULED, later)


def test_one_that_was_only_written_down_is_left_alone(stage: Stage, actor: Actor) -> None:
    execution = begin(stage, [], run=False)
    pause_executions([execution.pk])
    assert status_of(execution.pk) == Status.CREATED


def test_a_running_one_pauses_at_its_next_call(stage: Stage, actor: Actor) -> None:
    execution = begin(stage, [OUTPUT, OUTPUT])
    actor.claim()
    actor.step(execution.pk)
    pause_execution(execution, by=stage.cast.root)
    assert (execution.status, execution.pause_requested_at is not None) == (Status.RUNNING, True)
    actor.look_around()
    execution.refresh_from_db()
    assert (execution.status, execution.host_id, execution.pause_requested_at) == (Status.PAUSED, None, None)
    resume_execution(execution, by=stage.cast.root)
    drive(actor, [execution.pk])
    assert answered(execution) == 2, "the first call was not done again"


def test_a_pause_that_was_thought_better_of(stage: Stage, actor: Actor) -> None:
    execution = begin(stage, [OUTPUT])
    actor.claim()
    pause_execution(execution, by=stage.cast.root)
    resume_execution(execution, by=stage.cast.root)
    assert (execution.status, execution.pause_requested_at) == (Status.RUNNING, None)
    drive(actor, [execution.pk])


@pytest.mark.parametrize("is_unloaded", [False, True], ids=["in memory", "out of memory"])
def test_a_sleeper(stage: Stage, actor: Actor, is_unloaded: bool) -> None:
    execution = begin(stage, SLEEP)
    actor.claim()
    actor.step(execution.pk)
    if is_unloaded:
        assert actor.unload(execution.pk)
    pause_execution(execution, by=stage.cast.root)
    actor.look_around()
    execution.refresh_from_db()
    assert (execution.status, execution.host_id, execution.ready_at) == (Status.PAUSED, None, None)
    resume_execution(execution, by=stage.cast.root)
    actor.turn()
    execution.refresh_from_db()
    assert execution.status == Status.SLEEPING, "it sleeps on until its time"
    assert answered(execution) == 0


def test_an_ended_one_cannot_be_paused(stage: Stage, actor: Actor) -> None:
    execution = begin(stage, [])
    drive(actor, [execution.pk])
    with pytest.raises(AlreadyEnded):
        pause_execution(execution, by=stage.cast.root)
    with pytest.raises(NotPaused):
        resume_execution(execution, by=stage.cast.root)


def test_cancel_of_a_paused_one(stage: Stage, actor: Actor) -> None:
    execution = begin(stage, SLEEP)
    actor.claim()
    actor.step(execution.pk)
    pause_execution(execution, by=stage.cast.root)
    actor.look_around()
    cancel_executions([execution.pk])
    drive(actor, [execution.pk])
    assert status_of(execution.pk) == Status.ENDED_CANCELLED


def test_pausing_itself_and_being_cancelled_in_the_same_moment(stage: Stage, actor: Actor) -> None:
    """The wish to end wins, and the host does not forget an execution that its row still names."""
    execution = begin(stage, [["execution.pause", {}]])
    actor.claim()
    cancel_executions([execution.pk])
    actor.call(execution.pk, "execution.pause", {"id": str(execution.pk)})
    assert execution.pk in actor.callers
    drive(actor, [execution.pk])
    assert status_of(execution.pk) == Status.ENDED_CANCELLED


@pytest.mark.parametrize("wish", ["pause", "cancel"])
@pytest.mark.parametrize("end", ["crash", "put down", "die"])
def test_a_wish_that_the_host_did_not_come_to(
    stage: Stage, actors: Callable[..., Actor], wish: str, end: str
) -> None:
    first, second = actors(), actors()
    execution = begin(stage, SLEEP)
    first.claim()
    first.step(execution.pk)
    (pause_executions if wish == "pause" else cancel_executions)([execution.pk])
    match end:
        case "crash":
            first.crash(execution.pk)
        case "put down":
            first.put_down()
        case _:
            first.die()
            sweep()
    if wish == "pause":
        assert status_of(execution.pk) == Status.PAUSED
    else:
        drive(second, [execution.pk])
        assert status_of(execution.pk) == Status.ENDED_CANCELLED


def test_a_wish_to_pause_that_outlived_its_process_can_be_taken_back(stage: Stage, actor: Actor) -> None:
    execution = begin(stage, [OUTPUT])
    actor.claim()
    pause_executions([execution.pk])
    actor.crash(execution.pk)
    execution.refresh_from_db()
    assert (execution.status, execution.pause_requested_at is not None) == (Status.QUEUED, True)
    resume_execution(execution, by=stage.cast.root)
    assert execution.pause_requested_at is None
    drive(actor, [execution.pk])
    assert status_of(execution.pk) == Status.ENDED_SUCCESS


# -- The parent and child table --------------------------------------------------------------------------------

AWAITED, FREE, BELONGS = "awaited", "lives on", "belongs"
CHILD_STATES = ("queued", "running", "sleeping", "paused")


def family(stage: Stage, actor: Actor, kind: str, child_state: str) -> tuple[UUID, UUID]:
    """Return a parent and its child of this kind, in this state. The parent runs, or waits for the child."""
    wait = "ALL_SUCCEEDED" if kind == AWAITED else None
    fields = {"orphan": False} if kind == BELONGS else {}
    parent = begin(stage, [child(SLEEP, wait, **fields), OUTPUT]).pk
    actor.claim()
    actor.step(parent)
    (key,) = Execution.objects.filter(parent_id=parent).values_list("pk", flat=True)
    if child_state != "queued" and key not in actor.callers:
        actor.claim()
    if (
        child_state == "queued" and key in actor.callers
    ):  # an awaited one starts at once; its host was stopped
        hosting.put_down(actor.id, [key])
        actor.forget(key)
    if child_state == "sleeping":
        actor.step(key)
    if child_state == "paused":
        pause_executions([key])
        actor.look_around()
    return parent, key


@pytest.mark.parametrize("child_state", CHILD_STATES)
@pytest.mark.parametrize(("kind", "follows"), [(AWAITED, True), (FREE, False), (BELONGS, True)])
def test_the_parent_is_paused_and_resumed(
    stage: Stage, actor: Actor, kind: str, follows: bool, child_state: str
) -> None:
    parent, key = family(stage, actor, kind, child_state)
    before = status_of(key)
    pause_executions([parent])
    actor.look_around()
    assert status_of(parent) == Status.PAUSED
    assert status_of(key) == (Status.PAUSED if follows else before)
    resume_executions([parent])
    assert status_of(parent) == Status.QUEUED
    assert status_of(key) == (Status.QUEUED if follows else before)


@pytest.mark.parametrize("kind", [AWAITED, FREE, BELONGS])
def test_a_paused_childs_parent_is_left_alone(stage: Stage, actor: Actor, kind: str) -> None:
    parent, key = family(stage, actor, kind, "sleeping")
    before = status_of(parent)
    pause_executions([key])
    actor.look_around()
    assert (status_of(key), status_of(parent)) == (Status.PAUSED, before)
    resume_executions([key])
    assert (status_of(key), status_of(parent)) == (Status.QUEUED, before)


@pytest.mark.parametrize("kind", [AWAITED, BELONGS])
def test_a_paused_tree_is_cancelled_with_its_parent(stage: Stage, actor: Actor, kind: str) -> None:
    parent, key = family(stage, actor, kind, "sleeping")
    pause_executions([parent])
    actor.look_around()
    cancel_executions([parent])
    drive(actor, [parent, key])
    assert (status_of(parent), status_of(key)) == (Status.ENDED_CANCELLED, Status.ENDED_CANCELLED)


def test_pause_goes_down_the_whole_tree(stage: Stage, actor: Actor) -> None:
    bottom = [["sleep", {"seconds": 3600}]]
    top = begin(stage, [child([child([child(bottom, "ALL_ENDED")], "ALL_ENDED")], "ALL_ENDED")]).pk
    for _ in range(5):
        actor.turn()
    tree = list(Execution.objects.filter(root_id=top).values_list("pk", flat=True))
    assert len(tree) == 4
    assert set(pause_executions([top])) == set(tree)
    actor.look_around()
    assert {status_of(key) for key in tree} == {Status.PAUSED}
    resume_executions([top])
    for _ in range(5):
        actor.turn()
    assert sorted(map(status_of, tree)) == [Status.SLEEPING] + [Status.WAITING_FOR_DEPENDENCY] * 3


def test_a_child_that_ends_while_its_parent_is_paused(stage: Stage, actor: Actor) -> None:
    """A free child of a paused parent ends; the parent, resumed, finds its wait over."""
    parent = begin(stage, [child([]), ["execution.wait", {}], OUTPUT]).pk
    actor.claim()
    actor.step(parent)
    (key,) = Execution.objects.filter(parent_id=parent).values_list("pk", flat=True)
    actor.plans[parent][1][1] = {"ids": [str(key)], "return_when": "ALL_ENDED"}
    actor.step(parent)
    assert status_of(parent) == Status.WAITING_FOR_DEPENDENCY
    pause_executions([parent])
    actor.look_around()
    drive(actor, [key])
    assert status_of(parent) == Status.PAUSED
    resume_executions([parent])
    drive(actor, [parent])
    assert status_of(parent) == Status.ENDED_SUCCESS


# -- A project, and everything ---------------------------------------------------------------------------------


def test_a_whole_project(stage: Stage, actor: Actor) -> None:
    yard = Project.objects.create(name=f"Yard {timezone.now().timestamp()}")
    inside = [start_plan(SLEEP, by=stage.cast.root, project=yard).pk for _ in range(3)]
    outside = begin(stage, SLEEP).pk
    stage.ids += inside
    actor.turn()
    assert pause_project(yard, by=stage.cast.root) == 3
    actor.look_around()
    assert [status_of(key) for key in inside] == [Status.PAUSED] * 3
    assert status_of(outside) == Status.SLEEPING
    assert resume_project(yard, by=stage.cast.root) == 3
    assert [status_of(key) for key in inside] == [Status.QUEUED] * 3


def test_maintenance_lets_nothing_begin_or_wake(stage: Stage, actor: Actor) -> None:
    short = begin(stage, [["sleep", {"seconds": 0.02}]]).pk
    actor.turn()
    actor.turn()
    start_maintenance(by=stage.cast.root)
    try:
        queued = begin(stage, [OUTPUT]).pk
        wait_until(lambda: short in {key for key, held in hosting.held_by(actor.id).items() if held.is_ready})
        assert actor.claim() == [] and actor.go_on() == []
        assert (status_of(queued), status_of(short)) == (Status.QUEUED, Status.SLEEPING)
    finally:
        assert end_maintenance(by=stage.cast.root)
    drive(actor, [queued, short])
    assert {status_of(queued), status_of(short)} == {Status.ENDED_SUCCESS}


def test_a_pause_is_an_arrow_of_every_living_state() -> None:
    """What cannot be paused would be forgotten by a pause of its tree."""
    from executions.lifecycle import ALIVE, may_move

    assert [state for state in ALIVE if state != Status.PAUSED and not may_move(state, Status.PAUSED)] == []
    assert moves.sources_of(Status.PAUSED)


# -- With real workers -------------------------------------------------------------------------------------------


@pytest.mark.process
def test_real_flows_pause_themselves_and_their_children(stage: Stage, strikes: Strikes) -> None:
    execution = stage.start(
        """
        HEAD = "def handler(system, this, inputs):\\n    for n in range(6):\\n"
        CHILD = HEAD + "        this.set_output(n=n)\\n        this.sleep(0.1)"
        def handler(system, this, inputs):
            child = this.script(CHILD, wait=False)
            child.pause()
            this.pause()
            this.set_output(child=child.get('status'))
            child.resume()
            child.wait()
            this.set_output(output=child.get('output_value'))
        """
    )
    stage.in_status(execution, "PAUSED")
    (made,) = stage.children(execution)
    stage.in_status(made, "PAUSED")
    wait_until(lambda: not strikes.flow_processes(), "no process is left")
    resume_execution(execution, by=stage.cast.root)
    ended = stage.ended(execution)
    assert ended.status == "ENDED_SUCCESS", ended.message
    assert ended.output_value == {"child": "PAUSED", "output": {"n": 5}}


@pytest.mark.process
def test_a_real_tree_is_paused_while_it_runs(stage: Stage, strikes: Strikes) -> None:
    execution = stage.start(
        """
        HEAD = "def handler(system, this, inputs):\\n    for n in range(30):\\n"
        LOOP = HEAD + "        this.set_output(n=n)\\n        this.log(n)\\n        this.sleep(0.05)"
        def handler(system, this, inputs):
            this.script(LOOP)
            this.set_output(done=True)
        """
    )
    made = wait_until(lambda: next(iter(stage.children(execution)), None))
    wait_until(lambda: answered(made) >= 4)
    pause_execution(execution, by=stage.cast.root)
    stage.in_status(execution, "PAUSED")
    stage.in_status(made, "PAUSED")
    resume_execution(execution, by=stage.cast.root)
    assert stage.ended(execution).output_value == {"done": True}
    assert stage.log(made) == [str(n) for n in range(30)]


@pytest.mark.process
def test_maintenance_of_real_workers(stage: Stage, strikes: Strikes) -> None:
    """Nothing begins or goes on, also after their deaths, and everything does when it is over."""
    parent = stage.start("this.script('def handler(s, t):\\n    t.log(1)\\n    t.sleep(1)')\nreturn 1")
    asleep = stage.start("this.sleep(2)\nreturn 2")
    stage.in_status(parent, Status.WAITING_FOR_DEPENDENCY)
    stage.in_status(asleep, Status.SLEEPING)
    start_maintenance(by=stage.cast.root)
    try:
        queued = stage.start("return 3")
        for worker in strikes.fleet.workers:
            worker.kill("host")
        tree = Execution.objects.filter(Q(root_id=parent.pk) | Q(pk__in=[parent.pk, asleep.pk, queued.pk]))
        wait_until(lambda: not tree.exclude(host=None).exists(), "the dead hosts' executions were let go")
        later = timezone.now() + timedelta(seconds=3)
        wait_until(lambda: timezone.now() > later, "all of them could have gone on")
        assert not tree.filter(Q(status=Status.RUNNING) | Q(status__in=ENDED)).exists()
    finally:
        end_maintenance(by=stage.cast.root)
    stage.ended(parent, asleep, queued)
    for execution, value in ((parent, 1), (asleep, 2), (queued, 3)):
        execution.refresh_from_db()
        assert (execution.status, execution.output_value) == (Status.ENDED_SUCCESS, value), execution.message
