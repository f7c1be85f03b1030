"""Fifty want one lock on two real workers, one of which is killed in the middle: one at a time, and all of them."""

import pytest

from executions.lifecycle import Status
from executions.models import Lock
from projects.models import Setting
from projects.setting import create_setting
from tests.executions.stage import Stage, wait_until
from tests.savepoints.strikes import Strikes

pytestmark = pytest.mark.process
COMERS = 50

# What two would spoil if they were in it at the same time.
COUNT = """
with system.setting('turnstile').acquire():
    counter = system.setting('counted')
    count = counter.get('value')
    this.sleep(0.02)
    counter.save(value=count + 1)
"""


def counted() -> int:
    value: int = Setting.objects.get(name="counted").value
    return value


def test_a_queue_outlives_the_death_of_a_worker(stage: Stage, strikes: Strikes) -> None:
    create_setting(by=stage.cast.root, name="counted", value=0, project=stage.cast.workshop)
    create_setting(by=stage.cast.root, name="turnstile", project=stage.cast.workshop)
    executions = [stage.start(COUNT) for _ in range(COMERS)]
    wait_until(lambda: counted() >= COMERS // 4)
    assert strikes.fleet.workers[0].kill("host"), "half of the queue was in its hands"
    stage.ended(*executions, seconds=60)
    assert stage.statuses([each.pk for each in executions]) == {Status.ENDED_SUCCESS}
    assert counted() == COMERS
    assert not Lock.objects.filter(setting__name="turnstile").exists()
    strikes.revived()
