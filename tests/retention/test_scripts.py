"""Texts of scripts: kept as long as anything refers to them, and never taken from under what is being made."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from executions import unused_scripts
from executions.housekeeping import Turn
from executions.models import Execution
from executions.operations import rerun_execution
from executions.retention import remove_executions
from executions.starting import Start, start_execution
from executions.unused_scripts import remove_scripts
from flows.models import Script
from flows.operations import create_flow, save_flow, trash_flow
from flows.wrappers import create_wrapper
from records.purging import remove
from schedules.scheduler_operations import create_scheduler
from tests.cast import Cast, make_cast
from tests.retention.conftest import Put

pytestmark = pytest.mark.django_db


def text(name: str) -> str:
    return f"def handler(system, this):\n    return {name!r}\n"


def age() -> None:
    Script.objects.update(created_at=timezone.now() - timedelta(days=2))


def tidy() -> int:
    return remove_scripts(Turn(60, rests=False)).count


def is_kept(name: str) -> bool:
    return Script.objects.filter(pk=Script.digest(text(name))).exists()


def run(cast: Cast, name: str) -> Execution:
    start = Start(script=text(name), project=cast.workshop)
    return start_execution(start, by=cast.root, origin=Execution.Origin.USER)[0]


def test_what_nothing_refers_to_goes_after_a_day(cast: Cast) -> None:
    Script.pin(text("old"))
    age()
    Script.pin(text("new"))
    assert tidy() == 1
    assert is_kept("new") and not is_kept("old")


def test_whatever_refers_to_a_text_keeps_it(cast: Cast) -> None:
    for create in (create_flow, create_wrapper, create_scheduler):
        create(by=cast.root, project=cast.workshop, name="mine", script=text(create.__name__))
    save_flow(cast.workshop.flows.get(name="mine"), by=cast.root, script=text("second"))
    run(cast, "alone")
    Script.pin(text("nobody"))
    age()
    assert tidy() == 1
    names = ("create_flow", "create_wrapper", "create_scheduler", "second", "alone")
    assert all(map(is_kept, names)) and not is_kept("nobody")


def test_it_goes_with_the_last_execution(cast: Cast, put: Put) -> None:
    flow = create_flow(by=cast.root, project=cast.workshop, name="short-lived", script=text("flow"))
    ran = put(3, flow=flow)
    Execution.objects.filter(pk=ran.pk).update(script=flow.pinned_id)
    trash_flow(flow, by=cast.root)
    remove(type(flow).objects.filter(pk=flow.pk), until=float("inf"))
    age()
    assert tidy() == 0 and is_kept("flow")
    list(remove_executions([ran.pk]))
    assert tidy() >= 1 and not is_kept("flow")


def test_many_are_looked_at_page_by_page(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unused_scripts, "PAGE", 3)
    for number in range(10):
        Script.pin(text(str(number)))
    age()
    assert remove_scripts(Turn(-1, rests=False)).has_more
    tidy()
    assert not any(is_kept(str(number)) for number in range(10))


def test_a_rerun_stores_the_text_again(cast: Cast) -> None:
    """As when the removal of the first one was committed in the middle of the rerun."""
    first = run(cast, "again")
    same = Execution.objects.select_related("script").get(pk=first.pk)
    assert same.script is not None
    Script.objects.filter(pk=same.script_id)._raw_delete("default")
    again = rerun_execution(same, by=cast.root, origin=Execution.Origin.USER)
    assert is_kept("again") and again.script_id == first.script_id


# -- At the same time -----------------------------------------------------------------------------------------


def elsewhere(work: Callable[[], Any]) -> Any:
    def run() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result(30)


@pytest.mark.django_db(transaction=True)
def test_a_text_that_is_being_pinned_stays() -> None:
    cast = make_cast()
    for name in ("flow", "alone"):
        Script.pin(text(name))
    age()
    with transaction.atomic():
        create_flow(by=cast.root, project=cast.workshop, name="mine", script=text("flow"))
        run(cast, "alone")
        assert elsewhere(tidy) == 0
    assert tidy() == 0 and is_kept("flow") and is_kept("alone")


@pytest.mark.django_db(transaction=True)
def test_a_text_that_is_being_removed_is_stored_again() -> None:
    cast = make_cast()
    Script.pin(text("alone"))
    age()
    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            assert tidy() == 1

            def start() -> Execution:
                try:
                    return run(cast, "alone")
                finally:
                    connection.close()

            started = thread.submit(start)
            wait_for_a_lock()
            assert not started.done()
        execution = started.result(30)
    assert is_kept("alone") and execution.script_id == Script.digest(text("alone"))


def wait_for_a_lock() -> None:
    """Return when a statement of the other connection waits for us."""
    asked = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    for _ in range(3_000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(asked)
            if cursor.fetchone():
                return
            cursor.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("nothing waits")
