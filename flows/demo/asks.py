"""Asks people and goes on with the answer: a form on its page, behind the bell, and over REST.

While it waits it holds no slot, and nothing is lost when everything is restarted. Without an answer in time it goes
on with the default.
"""

import flow_api

FORM = {
    "type": "object",
    "required": ["colour"],
    "properties": {
        "hint": {"element": "markdown", "description": "Which colour shall the **bikeshed** have?"},
        "colour": {"element": "radio", "enum": ["red", "green", "blue"], "label": "Colour"},
        "why": {"element": "textarea", "type": "string", "label": "Why", "example": "It goes with the bikes"},
        "paint": {"element": "submit", "type": "boolean", "label": "Paint it"},
        "leave": {"element": "submit", "type": "boolean", "label": "Leave it", "required": []},
    },
}


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    minutes = inputs.get("minutes", 60)
    message = this.message("The bikeshed", body=FORM, timeout=60 * minutes, default={"leave": True})
    answer = message.get("response")
    this.set_output(answer=answer)
    if answer["leave"]:
        return this.success("left as it is")

    this.message("Painted", message=f"It is **{answer['colour']}** now.", message_type="SUCCESS", wait=False)
    return this.success(f"painted it {answer['colour']}")
