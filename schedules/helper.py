"""The helper flow of the Scheduling bundle: started for a flow, it asks for the details of a schedule in a form."""

from typing import Any

from access.permissions import Operation, visible
from executions.models import Execution
from executions.starting import Start, start_execution
from flows.models import Flow

BUNDLE = "Scheduling"
HELPER = "Schedule a flow"


def helper_flow(identity: Any) -> Flow | None:
    """Return the helper flow if the bundle is imported and this person may run it."""
    rows = visible(identity, Flow.objects.alive().filter(name=HELPER, bundle__name=BUNDLE), Operation.RUN)
    return rows.select_related("project").first()


def start_helper(flow: Flow, *, by: Any) -> Execution | None:
    """Start the helper for this flow; None when it is not here."""
    helper = helper_flow(by)
    if helper is None:
        return None
    inputs = {"flow_id": str(flow.pk)}
    start = Start(flow=helper, inputs=inputs, name=f"Schedule {flow.name}")
    return start_execution(start, by=by, origin=Execution.Origin.USER)[0]
