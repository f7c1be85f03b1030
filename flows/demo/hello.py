"""The smallest useful flow: it reads its inputs, writes to its log, and leaves an output.

Try the inputs {"name": "Ada", "times": 3}.
"""

import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    name = inputs.get("name", "world")
    times = inputs.get("times", 1)

    for number in range(1, times + 1):
        this.log(f"Hello, {name}!", number=number)

    this.set_output(greeting=f"Hello, {name}!", times=times)
    return this.success(f"greeted {name}")
