"""Fails after the number of steps in `after`; with 0 it succeeds. Its traceback stands in its message."""

import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    after = inputs.get("after", 1)

    try:
        for step in range(1, after + 1):
            this.log(f"step {step}")
            if step == after:
                raise RuntimeError(f"step {step} went wrong, as it was meant to")
    finally:
        # Runs in any case: when a step fails, and also when somebody cancels the execution.
        this.log("cleaned up")

    return this.success("nothing went wrong")
