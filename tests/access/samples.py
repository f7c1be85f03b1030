"""One record of each type in a project, for the tests that go through all types.

A new record type is made by its kind's `create`; say here what else that needs.
"""

from collections.abc import Callable
from typing import Any

from access.models import IdentityKind, Role
from access.operations import give_role
from executions.models import Execution, Process
from executions.starting import Start, start_execution
from flows.operations import create_flow
from inbox.asking import Question, create_message
from projects.models import Bundle, Project
from records.kinds import Kind, kind_of
from schedules.scheduler_operations import create_scheduler
from tests.cast import Cast

Fields = dict[str, Any]


def _connector(cast: Cast, place: Project) -> Fields:
    return {"connector_type": "REST", "value": {}}


def _schedule(cast: Cast, place: Project) -> Fields:
    scheduler = create_scheduler(by=cast.root, project=place, name=f"Ticks in {place}", built_in="interval")
    flow = create_flow(by=cast.root, project=place, name=f"Ticked in {place}")
    return {"scheduler": scheduler, "flow": flow, "configuration": {"seconds": 3600}}


def _webhook(cast: Cast, place: Project) -> Fields:
    return {"flow": create_flow(by=cast.root, project=place, name=f"Called in {place}")}


# What `create` wants besides a name and a project.
NEEDS: dict[str, Callable[[Cast, Project], Fields]] = {
    "connector": _connector,
    "schedule": _schedule,
    "webhook": _webhook,
}


def _execution(cast: Cast, place: Project) -> Any:
    start = Start(
        script="def handler(system, this): pass", name=f"execution in {place}", project=place, run=False
    )
    return start_execution(start, by=cast.root, origin=Execution.Origin.API)[0]


def _message(cast: Cast, place: Project) -> Any:
    execution = _execution(cast, place)
    question = Question(subject=f"message in {place}", body={"type": "object", "properties": {}})
    return create_message(question, execution_id=execution.pk, project_id=place.pk, by=cast.root)


# Types whose `create` is none, or does something else than write a record down.
MAKERS: dict[str, Callable[[Cast, Project], Any]] = {
    "audit_entry": lambda cast, place: (
        kind_of("audit_entry").model._default_manager.filter(project=place).latest("id")
    ),
    "bundle": lambda cast, place: Bundle.objects.create(name=f"bundle-{place.name.lower()}", project=place),
    "execution": _execution,
    "identity_role": lambda cast, place: give_role(
        IdentityKind.USER, cast.carol.pk, Role.objects.get(name="Viewer"), by=cast.root, project=place
    ),
    "message": _message,
    "process": lambda cast, place: Process.objects.create(role=Process.Role.HOST, pid=1, machine="here"),
    "project": lambda cast, place: place,
    "user": lambda cast, place: cast.carol,
}


def sample_of(kind: Kind, cast: Cast, place: Project) -> Any:
    """Return a record of this type in this project; for types outside of projects, any."""
    if kind.name in MAKERS:
        return MAKERS[kind.name](cast, place)
    assert kind.create is not None, f"say in tests/access/samples.py how a {kind.name} is made"
    return kind.create(by=cast.root, **fields_of(kind, cast, place))


def fields_of(kind: Kind, cast: Cast, place: Project) -> Fields:
    """Return what `create` takes to make one in this project."""
    fields = {"name": f"{kind.name} in {place}"}
    if "project" in kind.references:
        fields["project"] = place  # type: ignore[assignment]
    return fields | NEEDS.get(kind.name, lambda *_: {})(cast, place)
