"""The engine's tables against a small pure model, over random histories of everything that can happen to executions.

The real operations run on the real database with hosts that have no processes; after each step every execution must
be where the model says. A failing history is shrunk and printed by Hypothesis.
"""

import os
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from executions import hosting
from executions.database import fetch
from executions.lifecycle import Status
from executions.models import Execution
from executions.operations import cancel_executions
from executions.pausing import pause_executions, resume_executions
from tests.executions.stage import Stage
from tests.invariants import check_invariants
from tests.savepoints.actors import Actor, child, clear_away, start_plan, sweep
from tests.savepoints.model import AWAIT, OUTPUT, SLEEP, SPAWN, Life, Model

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "15"))
STEPS = 40
CALLS: dict[str, Any] = {
    OUTPUT: ["execution.set_output", {"values": {"a": 1}}],
    SLEEP: ["sleep", {"seconds": 3600}],
}
CALLS[AWAIT] = child([CALLS[SLEEP], CALLS[OUTPUT]], "ALL_ENDED")
CALLS[SPAWN] = child([CALLS[OUTPUT]])
some = st.integers(0, 1000)


class Engine(RuleBasedStateMachine):
    """Does each thing to the engine and to the model."""

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.keys: dict[int, UUID] = {}  # of the model's lives
        self.hosts = [Actor(slots=100), Actor(slots=100)]
        self.gone: list[Actor] = []

    def teardown(self) -> None:
        check_invariants(list(self.keys.values()), settled=False)
        clear_away(list(self.keys.values()), [*self.hosts, *self.gone])

    # finding

    def find_new(self) -> None:
        """Note the ids of children that were just started, in their order."""
        for life in self.model.lives:
            if life.number not in self.keys:
                assert life.parent is not None
                siblings = Execution.objects.filter(parent_id=self.keys[life.parent.number]).order_by("id")
                place = life.parent.children.index(life)
                self.keys[life.number] = list(siblings.values_list("pk", flat=True))[place]

    def life_of(self, key: UUID) -> Life:
        return next(self.model.lives[number] for number, known in self.keys.items() if known == key)

    def pick(self, number: int, lives: list[Life]) -> Life | None:
        return lives[number % len(lives)] if lives else None

    def held(self, *, parked: bool | None = None) -> list[Life]:
        return [
            life
            for life in self.model.lives
            if life.host is not None and (parked is None or life.is_waiting == parked)
        ]

    def host_of(self, life: Life) -> Actor:
        assert life.host is not None
        return next(host for host in self.hosts if host.id == life.host)

    # people

    @rule(plan=st.lists(st.sampled_from([OUTPUT, SLEEP, AWAIT, SPAWN]), min_size=1, max_size=4))
    def submit(self, plan: list[str]) -> None:
        life = self.model.submit(tuple(plan))
        made = start_plan(
            [CALLS[call] for call in plan], by=self.stage.cast.root, project=self.stage.cast.workshop
        )
        self.keys[life.number] = made.pk

    @precondition(lambda self: self.model.lives)
    @rule(number=some)
    def pause(self, number: int) -> None:
        life = self.model.lives[number % len(self.model.lives)]
        self.model.pause(life)
        pause_executions([self.keys[life.number]])

    @precondition(lambda self: self.model.lives)
    @rule(number=some)
    def resume(self, number: int) -> None:
        life = self.model.lives[number % len(self.model.lives)]
        self.model.resume(life)
        resume_executions([self.keys[life.number]])

    @precondition(lambda self: self.model.lives)
    @rule(number=some)
    def cancel(self, number: int) -> None:
        life = self.model.lives[number % len(self.model.lives)]
        self.model.cancel(life)
        cancel_executions([self.keys[life.number]])

    # hosts

    @rule(number=some)
    def claim(self, number: int) -> None:
        host = self.hosts[number % 2]
        self.model.claim(host.id)
        host.claim()

    @rule(number=some)
    def work(self, number: int) -> None:
        """What hosts do most of the time, so that histories get somewhere."""
        host = self.hosts[number % 2]
        self.claim(number)
        for life in [life for life in self.held(parked=False) if life.host == host.id]:
            self._call(life)

    @precondition(lambda self: self.held(parked=False))
    @rule(number=some)
    def call(self, number: int) -> None:
        life = self.pick(number, self.held(parked=False))
        assert life is not None
        self._call(life)

    def _call(self, life: Life) -> None:
        host = self.host_of(life)
        self.model.step(life)
        host.step(self.keys[life.number])
        self.find_new()

    @precondition(lambda self: any(life.is_due for life in self.held(parked=True)))
    @rule(number=some)
    def go_on(self, number: int) -> None:
        host = self.hosts[number % 2]
        self.model.go_on(host.id)
        host.go_on()

    @precondition(lambda self: self.held(parked=True))
    @rule(number=some)
    def unload(self, number: int) -> None:
        life = self.pick(number, self.held(parked=True))
        assert life is not None
        host = self.host_of(life)
        assert host.unload(self.keys[life.number]) == self.model.unload(life)

    @precondition(lambda self: any(life.pause_wish or life.cancel_wish for life in self.held()))
    @rule(number=some)
    def hear_of_wishes(self, number: int) -> None:
        host = self.hosts[number % 2]
        order = [self.life_of(key) for key in host.callers]
        found = [(life, life.pause_wish, life.cancel_wish) for life in order]
        host.look_around()
        for life, pause, cancel in found:
            self.model.hear(life, pause, cancel)

    # failures

    @precondition(lambda self: self.held())
    @rule(number=some)
    def crash(self, number: int) -> None:
        life = self.pick(number, self.held())
        assert life is not None
        self._crash(life)

    def _crash(self, life: Life) -> None:
        host = self.host_of(life)
        self.model.crash(life)
        host.crash(self.keys[life.number])

    @precondition(lambda self: self.held())
    @rule(number=some, times=st.integers(2, 3), is_pausing=st.booleans())
    def crash_again_and_again(self, number: int, times: int, is_pausing: bool) -> None:
        """What random steps seldom come to: crashes without progress in between, with a wish to pause."""
        life = self.pick(number, self.held())
        assert life is not None
        for _ in range(times):
            if life.host is None:
                self.claim(number)
            if is_pausing and life.is_alive:
                self.model.pause(life)
                pause_executions([self.keys[life.number]])
            if life.host is not None:
                self._crash(life)

    @rule(number=some)
    def lose_a_host(self, number: int) -> None:
        host = self._replace(number % 2)
        host.die()
        sweep()
        self.model.lose(host.id)

    @rule(number=some)
    def stop_a_host(self, number: int) -> None:
        host = self._replace(number % 2)
        host.put_down()
        self.model.put_down(host.id)

    def _replace(self, place: int) -> Actor:
        host, self.hosts[place] = self.hosts[place], Actor(slots=100)
        self.gone.append(host)
        return host

    # time

    @precondition(lambda self: any(life.status == Status.SLEEPING for life in self.model.lives))
    @rule(number=some)
    def wake(self, number: int) -> None:
        life = self.pick(number, [life for life in self.model.lives if life.status == Status.SLEEPING])
        assert life is not None
        key = self.keys[life.number]
        self.model.time_passes(life)
        fetch("UPDATE executions_execution SET ready_at = clock_timestamp() WHERE id = %s", (key,))
        fetch(
            "UPDATE executions_savepoint SET value = jsonb_set(value, '{until}', '0')"
            " WHERE execution_id = %s AND is_pending",
            (key,),
        )
        for host in self.hosts:  # what it has in memory, too
            if key in host.callers and host.callers[key].pending is not None:
                host.callers[key].pending[1]["until"] = 0  # type: ignore[index]

    @rule()
    def queue_what_is_due(self) -> None:
        hosting.queue_due()
        self.model.queue_due()

    @precondition(lambda self: any(life.is_alive and life.host is None for life in self.model.lives))
    @rule(number=some)
    def expire(self, number: int) -> None:
        life = self.pick(number, [life for life in self.model.lives if life.is_alive and life.host is None])
        assert life is not None
        fetch(
            "UPDATE executions_execution SET deadline_at = clock_timestamp() - interval '1 second',"
            " max_runtime_minutes = 1 WHERE id = %s",
            (self.keys[life.number],),
        )
        sweep()
        self.model.expire(life)

    # comparing

    @invariant()
    def the_tables_are_as_the_model_says(self) -> None:
        if not self.keys:
            return
        rows = fetch(
            "SELECT e.id, e.status, e.host_id, e.attempt, (SELECT count(*) FROM executions_savepoint s"
            " WHERE s.execution_id = e.id AND NOT s.is_pending), e.pause_requested_at IS NOT NULL,"
            " e.cancel_requested_at IS NOT NULL FROM executions_execution e WHERE e.id = ANY(%s)",
            (list(self.keys.values()),),
        )
        found = {row[0]: row[1:] for row in rows}
        for life in self.model.lives:
            status, host, attempt, place, pause_wish, cancel_wish = found[self.keys[life.number]]
            if not life.is_alive:  # wishes that came too late are of no account
                assert (status, host, attempt, place) == life.facts[:4], (life.number, life.plan)
            else:
                facts = (status, host, attempt, place, pause_wish, cancel_wish)
                assert facts == life.facts, (life.number, life.plan)


def test_the_engine_does_what_the_model_says(stage: Stage) -> None:
    Engine.stage = stage
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Engine,
        settings=settings(
            print_blob=True,
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="MODEL_EXAMPLES" not in os.environ,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
