"""Starts another flow and waits for it. Keywords that mean nothing else become inputs of the child."""

import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    this.flow("my-child-flow", custom_parameter="value")
    return this.success("all done")
