"""With which roles real flows act: those of their starter, or fewer, and never more; and the log says who it was."""

import pytest

from access.models import AuditEntry
from executions.models import Execution
from tests.cast import hold
from tests.executions.stage import Stage

pytestmark = pytest.mark.process

TRY = """
import flow_api

def attempt(work):
    try:
        return work()
    except flow_api.EngineException as error:
        return f'{type(error).__name__}: {error}'

"""


def test_a_child_has_the_roles_it_is_given_and_none_besides(play: Stage) -> None:
    bob, workshop = play.cast.bob, play.cast.workshop
    developer = hold(bob, "Developer", workshop)
    try:
        play.flow("names itself", "return [this.get('name'), system.flow('names itself').exists()]")
        execution = play.run(
            TRY
            + """
def handler(system, this, inputs):
    return [
        this.flow('names itself', roles=['User']).get('output_value'),
        this.flow('names itself', roles=[]).get('output_value'),
        attempt(lambda: this.flow('names itself', roles=['Admin'])),
        attempt(lambda: this.flow('names itself', roles=['King'])),
        attempt(lambda: system.flow('made by a flow').save(script='x = 1') and 'saved'),
    ]
""",
            by=bob,
            roles=["Developer", "User"],
        )
        assert execution.output_value, execution.message
        with_user, with_none, too_much, unknown, saved = execution.output_value
        assert with_user == ["names itself", True]
        assert with_none == ["names itself", False]
        assert too_much.startswith("PermissionDenied: The role 'Admin' cannot be passed on")
        assert unknown == "InvalidInputError: roles: There is no role 'King'."
        assert "PermissionDenied" not in str(saved)
        assert {len(child.roles) for child in Execution.objects.filter(parent=execution)} == {0, 1}
        entry = AuditEntry.objects.get(record_name="made by a flow", action="create")
        assert (entry.door, entry.identity_kind, entry.identity_id) == ("flow", "execution", execution.pk)
        assert entry.user_id == bob.pk
    finally:
        developer.delete()
