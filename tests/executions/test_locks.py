"""Locks of real flows: owned by an execution, in the order of arrival, given up by its end whatever that is."""

import pytest

from executions.lifecycle import Status
from executions.models import Lock
from executions.operations import cancel_execution
from executions.pausing import pause_execution, resume_execution
from projects.models import Setting
from projects.setting import create_setting
from tests.executions.stage import Stage, script, wait_until

pytestmark = pytest.mark.process
OK, BAD, GONE = Status.ENDED_SUCCESS, Status.ENDED_ERROR, Status.ENDED_CANCELLED

HOLD = """
system.setting(inputs['lock']).acquire()
this.log('mine')
while not system.setting(inputs['lock'] + ' go').exists():
    this.sleep(0.05)
"""


def let_go(play: Stage, lock: str) -> None:
    create_setting(by=play.cast.root, name=f"{lock} go", project=play.cast.workshop)


def test_a_lock_is_taken_given_back_and_taken_again(play: Stage) -> None:
    execution = play.run(
        """
        lock = system.setting('lock 1')
        assert not lock.exists()
        assert lock.acquire() is lock
        assert lock.get('value') is None
        lock.acquire(timeout=0)  # once more
        lock.release()
        assert system.setting('lock 1').get('name') == 'lock 1'
        lock.release()
        lock.release()  # nothing happens
        system.setting('nobody knows it').release()
        system.setting('no id', by='id').release()
        with system.setting('lock 1').acquire(timeout=5) as again:
            again.save(value={'n': 1})
        return again.get('value')
        """
    )
    assert (execution.status, execution.output_value) == (OK, {"n": 1}), execution.message
    assert not Lock.objects.filter(execution=execution).exists()
    assert Setting.objects.get(name="lock 1").project == play.cast.workshop


def test_those_who_wait_get_it_in_their_order(play: Stage) -> None:
    first = play.start(HOLD, inputs={"lock": "lock 2"})
    play.says(first, "mine")
    body = "lock = system.setting('lock 2').acquire(); lock.list_append(inputs['n']); lock.release()"
    waiting = []
    for number in range(5):
        waiting.append(play.start(body, inputs={"n": number}))
        play.in_status(waiting[-1], Status.WAITING_FOR_LOCK)
    row = waiting[0]
    row.refresh_from_db()
    assert row.waiting_for["setting"] == "lock 2"
    let_go(play, "lock 2")
    play.ended(first, *waiting)
    assert play.statuses([each.pk for each in waiting]) == {OK}
    assert Setting.objects.get(name="lock 2").value == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "end", ["return 1", "1 / 0", "this.error('no')", "import os; os.kill(os.getpid(), 11)"]
)
def test_the_end_of_the_owner_frees_it(play: Stage, end: str) -> None:
    owner = play.start(f"system.setting('lock 3').acquire()\nthis.sleep(0.3)\n{end}")
    wait_until(lambda: Lock.objects.filter(execution=owner).exists())
    after = play.run("system.setting('lock 3').acquire()")
    assert after.status == OK, after.message
    assert play.ended(owner).is_ended


def test_a_cancelled_owner_frees_it_and_a_cancelled_waiter_leaves(play: Stage) -> None:
    owner = play.start(HOLD, inputs={"lock": "lock 4"})
    play.says(owner, "mine")
    waiters = [play.start(HOLD, inputs={"lock": "lock 4"}) for _ in range(2)]
    for each in waiters:
        play.in_status(each, Status.WAITING_FOR_LOCK)
    in_line = list(Lock.objects.filter(setting__name="lock 4", since=None).order_by("id"))
    first = next(each for each in waiters if each.pk == in_line[0].execution_id)
    second = next(each for each in waiters if each is not first)
    cancel_execution(first, by=play.cast.root)
    play.ended(first)
    cancel_execution(owner, by=play.cast.root)
    play.says(second, "mine")
    let_go(play, "lock 4")
    assert play.ended(second).status == OK


def test_it_is_not_free_in_time(play: Stage) -> None:
    owner = play.start(HOLD, inputs={"lock": "lock 5"})
    play.says(owner, "mine")
    execution = play.run(
        """
        import flow_api
        for seconds in (0, 0.2):
            try:
                system.setting('lock 5').acquire(timeout=seconds)
            except flow_api.LockTimeoutError as error:
                this.log(str(error), error.data)
        """
    )
    assert execution.status == OK, execution.message
    log = play.log(execution)
    assert len(log) == 2 and all("'script'" in line and str(owner.pk) in line for line in log)
    assert not Lock.objects.filter(execution=execution).exists()
    let_go(play, "lock 5")
    play.ended(owner)


def test_two_locked_on_each_other(play: Stage) -> None:
    body = """
        import flow_api
        mine, other = inputs['locks']
        system.setting(mine).acquire()
        system.setting(f'{mine} is held').save(value=1)
        while not system.setting(f'{other} is held').exists():
            this.sleep(0.05)
        try:
            system.setting(other).acquire()
        except flow_api.LockDeadlockError as error:
            this.set_output(circle=error.data['circle'])
            raise
    """
    locks = ["lock 6", "lock 7"]
    both = [
        play.start(body, inputs={"locks": order}, name=f"holds {order[0]}") for order in (locks, locks[::-1])
    ]
    play.ended(*both)
    for each in both:
        each.refresh_from_db()
    assert {each.status for each in both} == {OK, BAD}
    refused = next(each for each in both if each.status == BAD)
    other = next(each for each in both if each.status == OK)
    for words in ("would never be over", "this execution", "'lock 6'", "'lock 7'", other.name, str(other.pk)):
        assert words in refused.message
    assert {each["execution_id"] for each in refused.output_value["circle"]} == {
        str(each.pk) for each in both
    }


def test_a_child_that_wants_the_lock_of_its_waiting_parent(play: Stage) -> None:
    child = script("system.setting('lock 8').acquire()")
    execution = play.run(f"system.setting('lock 8').acquire()\nthis.script({child!r}, name='the child')")
    assert execution.status == BAD
    assert "LockDeadlockError" in execution.message
    assert (
        "'lock 8', which 'script'" in execution.message and "the end of this execution" in execution.message
    )


def test_two_that_wait_for_each_other_s_end(play: Stage) -> None:
    body = """
        import flow_api
        try:
            system.execution(inputs.get('other') or this.get('parent_id')).wait(return_when='ALL_ENDED')
        except flow_api.DeadlockError as error:
            assert not isinstance(error, flow_api.LockDeadlockError)
            this.set_output(refused=str(error))
    """
    parent = play.start(
        f"child = this.script({script(body)!r}, name='child')\nreturn child.get('output_value')"
    )
    ended = play.ended(parent)
    assert ended.status == OK, ended.message
    assert "the end of" in ended.output_value["refused"]


def test_a_paused_owner_keeps_it_and_a_paused_waiter_is_passed_over(play: Stage) -> None:
    owner = play.start(HOLD, inputs={"lock": "lock 9"})
    play.says(owner, "mine")
    pause_execution(owner, by=play.cast.root)
    play.in_status(owner, Status.PAUSED)
    first, second = (play.start(HOLD, inputs={"lock": "lock 9"}) for _ in range(2))
    play.in_status(first, Status.WAITING_FOR_LOCK)
    play.in_status(second, Status.WAITING_FOR_LOCK)
    first, second = sorted((first, second), key=lambda each: Lock.objects.get(execution=each).pk)
    pause_execution(first, by=play.cast.root)
    play.in_status(first, Status.PAUSED)
    assert Lock.objects.get(execution=owner).since is not None
    let_go(play, "lock 9")
    resume_execution(owner, by=play.cast.root)
    assert play.ended(owner, second).status == OK
    first.refresh_from_db()
    assert first.status == Status.PAUSED
    resume_execution(first, by=play.cast.root)
    assert play.ended(first).status == OK


def test_going_back_gives_up_what_was_taken_since(play: Stage) -> None:
    execution = play.run(
        """
        round = system.setting(f"round of {this.get('id')}")
        system.setting('lock 10').acquire()
        this.save_dump('begin')
        system.setting('lock 11').acquire()
        system.setting('lock 10').acquire()
        if not round.exists():
            round.save(value=1)
            this.load_dump('begin')
        system.setting('lock 11').release()
        system.setting('lock 10').release()
        system.setting('lock 10').release()
        """
    )
    assert execution.status == OK, execution.message
    assert not Lock.objects.filter(setting__name__in=["lock 10", "lock 11"]).exists()


def test_a_lock_outlives_the_name_of_its_setting(play: Stage) -> None:
    execution = play.run(
        """
        lock = system.setting('lock 12').acquire()
        lock.delete()
        system.setting('lock 12').release()
        """
    )
    assert execution.status == OK, execution.message
    assert not Lock.objects.filter(setting__name="lock 12").exists()


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ("setting('lock 13').acquire(timeout='soon')", "InvalidInputError"),
        ("setting('lock 13').acquire(timeout=float('nan'))", "InvalidInputError"),
        ("setting('lock 13').list_append(object())", "InvalidInputError"),
        ("setting('x' * 200).acquire()", "InvalidInputError"),
        ("setting().acquire()", "InvalidInputError"),
        ("setting('no id', by='id').acquire()", "ResourceNotFoundError"),
    ],
)
def test_calls_that_are_refused(play: Stage, call: str, kind: str) -> None:
    execution = play.run(f"system.{call}")
    assert (execution.status, execution.reason) == (BAD, "raised")
    assert kind in execution.message


def test_a_lock_that_is_no_list(play: Stage) -> None:
    execution = play.run("system.setting('lock 14', value={}).list_append(1)")
    assert "holds no list" in execution.message
