import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    own = inputs["wrapper_inputs"]
    flow, script = own.get("checker_flow"), own.get("checker_script")
    if bool(flow) == bool(script):
        raise flow_api.InvalidInputError("the wrapper check takes either checker_flow or checker_script")
    child = this.start_child(wait=system.return_when.ALL_ENDED)
    status, message, output = child.get("status", "message", "output_value")
    this.save(output_value=output)
    if status != system.status.ENDED_SUCCESS:
        return this.end(status, message)

    given = {**own["inputs"], "data": output}
    name = f"check of {child.get('name')}"[:128]
    start, what = (this.flow, flow) if flow else (this.script, script)
    checker = start(what, given, name, wait=system.return_when.ALL_ENDED)
    if checker.get("status") != system.status.ENDED_SUCCESS:
        return this.error(f"the output was found wrong: {checker.get('message')}")
    return this.success(message)
