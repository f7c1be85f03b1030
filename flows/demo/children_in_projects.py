"""Says in which project a child runs. Without `init` it runs in the project of the flow that it is a run of."""

import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    this.flow(
        "my-child-flow",
        custom_parameter="value",
        init={"project_id": system.project("my-project").get("id")},
    )
    this.flow(
        "my-child-flow",
        custom_parameter="value",
        init={"project_id": system.project("Default project").get("id")},
    )
    return this.success("all done")
