"""A flow says for how long its execution is kept, and a worker's housekeeping removes what is expired."""

from datetime import timedelta

import pytest

from executions.housekeeping import request_run
from executions.models import Execution, Housework
from tests.executions.stage import Stage, wait_until

pytestmark = pytest.mark.process


def test_a_flow_says_how_long_it_is_kept(play: Stage) -> None:
    seconds = play.run("this.save(retention_time=3600)")
    assert seconds.expires_at == pytest.approx(
        seconds.ended_at + timedelta(hours=1), abs=timedelta(seconds=1)
    )
    moment = play.run(
        "import datetime\nthis.save(expires=datetime.datetime(2100, 1, 1, tzinfo=datetime.timezone.utc))"
    )
    assert moment.expires_at.year == 2100
    child = play.run(
        """
        child = this.script('def handler(system, this): pass', init={'retention_time': 60})
        this.set_output(id=child.get('id'))
        """
    )
    kept = Execution.objects.get(pk=child.output_value["id"])
    assert kept.expires_at == pytest.approx(kept.ended_at + timedelta(minutes=1), abs=timedelta(seconds=1))


def test_a_worker_removes_what_is_expired(play: Stage) -> None:
    gone, stays = play.run("this.save(retention_time=0)"), play.run("pass")
    request_run("retention", by=play.cast.root)
    wait_until(lambda: not Execution.objects.filter(pk=gone.pk).exists(), "the worker removed it", 30)
    assert Execution.objects.filter(pk=stays.pk).exists()
    wait_until(lambda: Housework.objects.get(name="retention").done, "and wrote it down", 10)
    play.ids.remove(gone.pk)
