"""The database may choose any transaction to break a deadlock: it is done again, and nothing is done twice.

A trigger plays the deadlock: it fails the n-th write of a canonical run, as it is made or at its commit, for each n.
"""

from collections.abc import Iterator

import pytest
from django.db import connection

from executions.lifecycle import Status
from tests.executions.cluster import Fleet
from tests.executions.stage import Stage

pytestmark = pytest.mark.process
TABLES = ("executions_savepoint", "executions_transition")
FAR = 1_000_000
WRITES = 36  # of the canonical run, about

CANONICAL = """
this.set_output(a=1)
leaf = 'def handler(system, this, inputs): return inputs["n"]'
first = this.script(leaf, n=1)
two = [this.script(leaf, n=n, wait=False) for n in (2, 3)]
this.wait_for(two)
this.sleep(0.05)
this.set_output(b=2)
this.set_output(found=[each.get('output_value') for each in (first, *two)])
"""


@pytest.fixture(params=["IMMEDIATE", "DEFERRED"])
def faults(request: pytest.FixtureRequest, fleet: Fleet) -> Iterator[range]:
    """Set up the trigger; returns the writes to fail: every other one as it is made, the rest at its commit."""
    fleet.have(workers=1, slots=4)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            CREATE SEQUENCE test_writes;
            CREATE FUNCTION test_fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF current_setting('application_name') = 'engine-worker' AND nextval('test_writes') = {FAR} THEN
                    RAISE EXCEPTION 'a deadlock, for a test' USING ERRCODE = '40P01';
                END IF;
                RETURN NULL;
            END $$;
            """
        )
        for table in TABLES:
            cursor.execute(
                f"CREATE CONSTRAINT TRIGGER test_fault AFTER INSERT OR UPDATE ON {table}"
                f" DEFERRABLE INITIALLY {request.param} FOR EACH ROW EXECUTE FUNCTION test_fault()"
            )
    yield range(1 if request.param == "IMMEDIATE" else 2, WRITES + 1, 2)
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"DROP TRIGGER test_fault ON {table}")
        cursor.execute("DROP FUNCTION test_fault; DROP SEQUENCE test_writes")


def fail_the(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('test_writes', %s)", (FAR - number,))


def test_each_write_fails_once(faults: range, play: Stage, fleet: Fleet) -> None:
    (worker,) = fleet.workers
    host = worker.host()
    for number in faults:
        fail_the(number)
        execution = play.run(CANONICAL)
        assert execution.status == Status.ENDED_SUCCESS, f"write {number}: {execution.message}"
        assert execution.output_value == {"a": 1, "b": 2, "found": [1, 2, 3]}, f"write {number}"
        assert len(play.children(execution)) == 3, f"write {number}: a child was started twice"
        assert worker.host() == host, f"write {number}: the host died of it"
