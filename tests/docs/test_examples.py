"""Every flow that the documents show runs as it stands, on a real worker."""

from collections.abc import Iterator

import pytest

from executions.models import Execution
from executions.starting import Start, start_execution
from tests.cast import Cast, make_cast
from tests.docs.pages import flows_of
from tests.executions.cluster import Fleet
from tests.executions.stage import wait_until

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]

PAGES = ("README.md", "docs/flow_api.md", "docs/messages.md", "docs/webhooks.md")
SHOWN = [(name, *flow) for name in PAGES for flow in flows_of(name)]


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def fleet(database_url: str, cast: Cast) -> Iterator[Fleet]:
    made = Fleet(database_url)
    made.have(workers=1, slots=4)
    yield made
    made.stop()


def test_all_flows_in_the_documents_run(cast: Cast, fleet: Fleet) -> None:
    assert len(SHOWN) > 10
    started = {}
    for name, line, script, ends in SHOWN:
        start = Start(script=script, name=f"{name}:{line}", project=cast.workshop)
        started[start_execution(start, by=cast.root, origin=Execution.Origin.COMMAND)[0].pk] = ends
    wait_until(
        lambda: not Execution.objects.filter(pk__in=started, ended_at=None).exists(), fleet.tail(), seconds=90
    )
    for execution in Execution.objects.filter(pk__in=started):
        assert execution.status == started[execution.pk], f"{execution.name}: {execution.message}"
