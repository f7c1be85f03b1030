"""Started by the flows "Starts a child" and "Children in projects"."""

import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    project = this.project().get("name")
    this.log(f"I run in {project}", inputs)
    this.set_output(project=project, custom_parameter=inputs.get("custom_parameter"))
    return this.success("all done")
