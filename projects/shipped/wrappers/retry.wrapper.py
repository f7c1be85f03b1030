import flow_api

LONGEST_DELAY = 86_400


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    own = inputs["wrapper_inputs"]
    delay = own["delay_sec"]
    for number in range(1, own["max_tries"] + 1):
        child = this.start_child(wait=system.return_when.ALL_ENDED)
        status, message, output = child.get("status", "message", "output_value")
        if status != system.status.ENDED_ERROR or number == own["max_tries"]:
            break
        this.log(f"try {number} of {own['max_tries']} failed", message, level="warning")
        this.save(message=f"try {number} of {own['max_tries']} failed; the next one comes in {delay:g} s")
        if own["delete_retries"]:
            child.delete()
        this.sleep(delay)
        delay = min(delay * own["backoff"], LONGEST_DELAY)
    this.save(output_value=output)
    return this.end(status, message)
