"""What a parent sees when its child fails, and three ways to deal with it.

Without any of them the error would climb: the parent would fail too, and its parent in turn.
"""

import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    # 1. Catch the error. It knows the child that failed.
    try:
        this.flow("Fails on purpose", after=1)
    except flow_api.DependencyFailedError as error:
        last_line = error.execution.get("message").strip().splitlines()[-1]
        this.log("caught:", last_line, level="warning")

    # 2. Wait for the end, whatever it is, and look.
    child = this.flow("Fails on purpose", after=2, wait=system.return_when.ALL_ENDED)
    this.log("looked:", child.get("status"), level="warning")

    # 3. Try again, with other inputs.
    for after in (3, 0):
        child = this.flow("Fails on purpose", after=after, wait=system.return_when.ALL_ENDED)
        if child.get("status") == system.status.ENDED_SUCCESS:
            break

    return this.success(f"went on; the last child said: {child.get('message')}")
