"""Failing the n-th statement: one run of everything that the engine does, with a failure at every place of it.

At each place three times: before the statement, after it, and with the connection lost although it was carried out.
The host that meets the failure is gone, as a real one; another takes over. Whoever submits repeats the request.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import psycopg
from django.db import Error, connection

from executions import database, hosting
from executions.hosting import LateWrite
from executions.models import Execution, Savepoint
from executions.pausing import pause_executions, resume_executions
from executions.starting import Start, start_execution
from flows.models import Flow
from projects.models import Setting
from tests.cast import Cast
from tests.invariants import check_invariants, tree_of
from tests.savepoints.actors import SCRIPT, Actor, Plan, child, sweep

BEFORE, AFTER = "before", "after"
Script = list[tuple[str, Plan]]  # executions of the canonical run: a name and a plan


class Failing:
    """Counts the statements and commits of this process, and fails at one of them."""

    def __init__(self, at: int = 0, when: str = BEFORE) -> None:
        self.at, self.when = at, when
        self.words: list[str] = []  # the beginning of each statement

    def around(self, subject: psycopg.Connection[Any], work: Callable[[], Any], words: str) -> Any:
        self.words.append(words)
        if len(self.words) != self.at:
            return work()
        if self.when == AFTER:
            work()
        subject.close()  # the server rolls back what was not committed
        raise psycopg.OperationalError(f"the connection is lost {self.when} {words}")

    @contextmanager
    def in_force(self) -> Iterator["Failing"]:
        execute, commit = psycopg.Cursor.execute, psycopg.Connection.commit

        def failing_execute(cursor: Any, query: Any, *args: Any, **options: Any) -> Any:
            return self.around(
                cursor.connection,
                lambda: execute(cursor, query, *args, **options),
                " ".join(str(query).split())[:60],
            )

        def failing_commit(subject: Any) -> None:
            self.around(subject, lambda: commit(subject), "COMMIT")

        prepared = database.run_prepared

        def failing_prepared(link: Any, sql: str, params: Any) -> Any:
            return self.around(link, lambda: prepared(link, sql, params), " ".join(sql.split())[:60])

        sent_together = database.run_together

        def failing_together(link: Any, statements: Any) -> Any:
            words = " / ".join(" ".join(sql.split())[:20] for sql, _ in statements)
            return self.around(link, lambda: sent_together(link, statements), f"together: {words}")

        database.run_prepared, database.run_together = failing_prepared, failing_together
        psycopg.Cursor.execute, psycopg.Connection.commit = failing_execute, failing_commit  # type: ignore[method-assign, assignment]
        try:
            yield self
        finally:
            database.run_prepared, database.run_together = prepared, sent_together
            psycopg.Cursor.execute, psycopg.Connection.commit = execute, commit  # type: ignore[method-assign]


def canonical(name: str) -> Plan:
    """Return the plan of the root: children of each kind, waits, a sleep, records, a lock that a child wants, too."""
    lock = {"select": f"lock of {name}", "by": "name"}
    return [
        ["execution.set_output", {"values": {"begin": 1}}],
        child([["execution.set_output", {"values": {"n": 1}}]], "ALL_SUCCEEDED", name="awaited"),
        child([["sleep", {"seconds": 0.001}]], None, name="belongs", orphan=False),
        ["lock.acquire", lock],
        child([["lock.acquire", lock], ["execution.set_output", {"values": {"n": 2}}]], None, name="free"),
        ["record.save", {"type": "flow", "select": f"mark of {name}", "fields": {"script": SCRIPT}}],
        ["record.exists", {"type": "flow", "select": "there is none"}],
        ["record.get", {"type": "flow", "select": "there is none"}],  # a refusal is an answer too
        ["sleep", {"seconds": 0.001}],
        ["lock.release", lock],
        ["savepoint.save", {"name": "here"}],
        ["execution.wait", {"ids": ["free"], "return_when": "ALL_ENDED"}],
        ["execution.set_output", {"values": {"end": 1}}],
    ]


class Play:
    """One performance of the canonical run, by hosts of which one may meet a failure."""

    def __init__(self, cast: Cast, name: str) -> None:
        self.cast, self.name = cast, name
        self.actor: Actor | None = None
        self.failures = 0
        self.inputs = {"plan": canonical(name)}

    def perform(self) -> UUID:
        """Do it all, in spite of the failure; returns the root's id."""
        root = self._insist(lambda: self._submit())
        self._insist(lambda: self._pause_and_resume(root))
        deadline = time.monotonic() + 30
        while not self._insist(lambda: self._round(root)):
            assert time.monotonic() < deadline, self._state(root)
        self._insist(self._leave)
        return root

    def _insist(self, work: Callable[[], Any]) -> Any:
        while True:
            try:
                return work()
            except (Error, psycopg.Error):
                self.failures += 1
                assert self.failures <= 3, "one failure was ordered"
                self._lose_host()

    def _lose_host(self) -> None:
        if self.actor is not None:
            connection.close()
            self.actor.die()
        self.actor = None
        connection.close()

    def _leave(self) -> None:
        if self.actor is not None and not self.actor.is_dead:
            self.actor.put_down()

    def _submit(self) -> UUID:
        start = Start(
            script=SCRIPT,
            inputs=self.inputs,
            project=self.cast.workshop,
            name=self.name,
            idempotency_key=self.name,
            idempotency_digest=self.name,
        )
        return start_execution(start, by=self.cast.root, origin=Execution.Origin.API)[0].pk

    def _pause_and_resume(self, root: UUID) -> None:
        pause_executions([root])
        resume_executions([root])

    def _round(self, root: UUID) -> bool:
        if self.actor is None:
            self.actor = Actor()
        sweep()
        hosting.queue_due()
        with suppress(LateWrite):
            self.actor.look_around()
            self.actor.go_on()
            self.actor.claim()
            for key in self.actor.runnable():
                if key in self.actor.callers and key not in self.actor.parked:
                    self._name_targets(key)
                    self.actor.step(key)
                    if key in self.actor.parked and Execution.objects.get(pk=key).status == "SLEEPING":
                        self.actor.unload(key)
        return not Execution.objects.filter(pk__in=tree_of([root]), ended_at=None).exists()

    def _name_targets(self, key: UUID) -> None:
        """The plan knows the child to wait for by its name; the flow would have kept its id."""
        for call, arguments in self.actor.plans[key] if self.actor else ():
            if call == "execution.wait" and arguments["ids"] == ["free"]:
                found = Execution.objects.filter(parent_id=key, name="free").first()
                if found is not None:
                    arguments["ids"] = [str(found.pk)]

    def _state(self, root: UUID) -> list[Any]:
        rows = Execution.objects.filter(pk__in=tree_of([root])).values_list(
            "name", "status", "host", "attempt"
        )
        return list(rows)

    def check(self, root: UUID) -> None:
        """Check what must be true whatever failed."""
        row = Execution.objects.get(pk=root)
        assert (row.status, row.output_value) == ("ENDED_SUCCESS", {"begin": 1, "end": 1}), (
            row.status,
            row.message,
        )
        children = Execution.objects.filter(parent_id=root).order_by("name")
        assert list(children.values_list("name", flat=True)) == ["awaited", "belongs", "free"], (
            "one child of each name"
        )
        assert Flow.objects.filter(name=f"mark of {self.name}").count() == 1
        assert Execution.objects.filter(idempotency_key=self.name).count() == 1
        assert Setting.objects.filter(name=f"lock of {self.name}").count() == 1
        calls = (
            Savepoint.objects.filter(execution=root).order_by("number").values_list("number", "is_pending")
        )
        assert list(calls) == [(number, False) for number in range(1, 14)]
        check_invariants([root])


def list_statements(cast: Cast, name: str) -> list[str]:
    """Return the statements and commits of an undisturbed performance, by their beginnings."""
    play = Play(cast, name)
    with Failing().in_force() as failing:
        root = play.perform()
    play.check(root)
    return failing.words


def fail_at(cast: Cast, name: str, place: int, when: str) -> None:
    """Perform with one failure at this place and check everything."""
    play = Play(cast, name)
    with Failing(place, when).in_force() as failing:
        root = play.perform()
    try:
        play.check(root)
    except AssertionError as error:
        words = failing.words[place - 1]
        raise AssertionError(f"after a failure {when} statement {place} ({words}): {error}") from error
