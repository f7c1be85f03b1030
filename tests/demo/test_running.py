"""Every demo flow runs to its expected end on a real worker, as a newcomer would see it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command

from executions.lifecycle import Status
from executions.models import Execution, LogLine
from executions.starting import Start, start_execution
from flows.demo_content import DEMO
from flows.models import Flow
from projects.models import Project
from tests.cast import Cast, make_cast
from tests.executions.cluster import Fleet
from tests.executions.stage import wait_until

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]

INPUTS: dict[str, dict[str, Any]] = {
    "Hello": {"name": "Ada", "times": 3},
    "Report part": {"part": "region", "region": "North"},
    "Long log": {"lines": 600},
    "Asks a person": {"minutes": 0.01},
}
ENDS_IN_ERROR = {"Fails on purpose"}


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def fleet(database_url: str, cast: Cast) -> Iterator[Fleet]:
    made = Fleet(database_url)
    made.have(workers=1, slots=4)
    yield made
    made.stop()


def lines_of(execution: Execution) -> list[str]:
    return list(LogLine.objects.filter(execution=execution).order_by("number").values_list("text", flat=True))


def test_all_demo_flows_run_to_their_end(cast: Cast, fleet: Fleet) -> None:
    call_command("load_demo", verbosity=0)
    started = {}
    for demo in DEMO:
        start = Start(flow=Flow.objects.get(name=demo.name), inputs=INPUTS.get(demo.name))
        started[demo.name] = start_execution(start, by=cast.root, origin=Execution.Origin.COMMAND)[0]

    wait_until(lambda: not Execution.objects.filter(ended_at=None).exists(), fleet.tail(), seconds=120)

    for name, execution in started.items():
        execution.refresh_from_db()
        expected = Status.ENDED_ERROR if name in ENDS_IN_ERROR else Status.ENDED_SUCCESS
        assert execution.status == expected, f"{name}: {execution.message}"
        numbers = (
            LogLine.objects.filter(execution=execution).order_by("number").values_list("number", flat=True)
        )
        assert list(numbers) == list(range(1, len(numbers) + 1)), name

    hello = started["Hello"]
    assert hello.output_value == {"greeting": "Hello, Ada!", "times": 3}
    assert lines_of(hello) == ["Hello, Ada!"] * 3

    report = started["Report with children"]
    parts = report.output_value
    assert parts.pop("total") == sum(parts.values())
    assert set(parts) == {"North", "East", "South", "West"}
    assert Execution.objects.filter(parent=report, status=Status.ENDED_SUCCESS).count() == 5

    assert started["Waits and sleeps"].message == "slow: ENDED_CANCELLED"

    failing = started["Handles a failing child"]
    assert failing.message == "went on; the last child said: nothing went wrong"
    assert "RuntimeError: step 1 went wrong, as it was meant to" in " ".join(lines_of(failing))
    children = Execution.objects.filter(parent=failing).order_by("id")
    assert [child.status for child in children] == [Status.ENDED_ERROR] * 3 + [Status.ENDED_SUCCESS]

    assert "step 1 went wrong" in started["Fails on purpose"].message
    assert lines_of(started["Fails on purpose"]) == ["step 1", "cleaned up"]
    assert len(lines_of(started["Long log"])) == 601

    assert started["Asks a person"].message == "left as it is"

    placed = Execution.objects.filter(parent=started["Children in projects"]).order_by("id")
    ours = Project.objects.get(name="my-project")
    assert [child.project_id for child in placed] == [ours.pk, cast.default.pk]
    assert [child.output_value["project"] for child in placed] == ["my-project", "Default project"]
    alone = Execution.objects.get(parent=started["Starts a child"])
    assert alone.output_value == {"project": "Default project", "custom_parameter": "value"}
