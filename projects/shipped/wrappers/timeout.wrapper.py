import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    limit = inputs["wrapper_inputs"]["timeout_sec"]
    # It belongs to this execution although it is not waited for at once: it is cancelled and paused with it.
    child = this.start_child(wait=False, orphan=False)
    try:
        child.wait(return_when=system.return_when.ALL_ENDED, timeout=limit)
    except flow_api.DependencyTimeoutError:
        child.cancel()
        child.wait(return_when=system.return_when.ALL_ENDED)
        if child.get("status") == system.status.ENDED_CANCELLED:  # else it was quicker than the cancel
            return this.error(f"{child.get('name')} did not end within {limit:g} s and was cancelled")
    status, message, output = child.get("status", "message", "output_value")
    this.save(output_value=output)
    return this.end(status, message)
