import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    me = system.get_own_user().get("username")
    flow = choose_flow(system, this, inputs, me)
    schedulers = {each.get("name"): each for each in system.schedulers()}
    first = this.message(
        f"Schedule {flow.get('name')}", body=first_form(flow.get("name"), list(schedulers)), recipients=[me]
    ).get("response")
    if first["stop"]:
        return this.success("Nothing was scheduled.")
    scheduler = schedulers[first["when"]]
    said, filled_in = "", {}
    while True:
        second = this.message(
            f"Schedule {flow.get('name')}: {first['when']}",
            message=said or None,
            body=second_form(scheduler.get("configuration_schema"), filled_in),
            recipients=[me],
        ).get("response")
        if second["stop"]:
            return this.success("Nothing was scheduled.")
        filled_in = second
        try:
            schedule = system.schedule(
                first["name"],
                flow_id=flow.get("id"),
                project_id=flow.get("project_id"),
                scheduler_id=scheduler.get("id"),
                configuration=second.get("configuration", {}),
                time_zone=second["time_zone"],
                overlap=second["overlap"],
                is_enabled=True,
            )
        except (flow_api.InvalidInputError, flow_api.EngineException) as error:
            said = f"That did not work: {error}"
            continue
        runs = schedule.get("next_runs")
        this.set_output("schedule_id", schedule.get("id"))
        return this.success(f"{first['name']} is scheduled" + (f"; it first runs {runs[0]}" if runs else ""))


def choose_flow(system, this, inputs, me):
    if (inputs or {}).get("flow_id"):
        return system.flow(inputs["flow_id"], by="id")
    said = None
    while True:
        name = this.message(
            "Schedule a flow", message=said, request="Which flow is to be started?", recipients=[me]
        ).get("response")["string"]
        if system.flow(name, by="name").exists():
            return system.flow(name, by="name")
        said = f"There is no flow named {name!r}."


STOP = {"type": "boolean", "element": "submit", "label": "Cancel", "required": []}


def first_form(name, schedulers):
    return {
        "type": "object",
        "required": ["name", "when"],
        "properties": {
            "name": {
                "type": "string",
                "label": "Name of the schedule",
                "default": name,
                "maxLength": 128,
                "order": 1,
            },
            "when": {"type": "string", "label": "When", "enum": schedulers, "element": "radio", "order": 2},
            "next": {"type": "boolean", "element": "submit", "label": "Next", "order": 3},
            "stop": {**STOP, "order": 4},
        },
    }


def second_form(schema, filled_in):
    overlaps = {
        "skip": "Skip the new one",
        "queue_one": "Start one afterwards",
        "queue_all": "Start each afterwards",
        "cancel_other": "Cancel the earlier one",
        "allow": "Let them run side by side",
    }
    return {
        "type": "object",
        "required": ["configuration", "time_zone", "overlap"],
        "properties": {
            "configuration": {
                **(schema or {"type": "object"}),
                "label": "When",
                "order": 1,
                **({"default": filled_in["configuration"]} if "configuration" in filled_in else {}),
            },
            "time_zone": {
                "type": "string",
                "label": "Time zone",
                "default": filled_in.get("time_zone", "UTC"),
                "description": "The times are those that clocks show there.",
                "order": 2,
            },
            "overlap": {
                "type": "string",
                "label": "If an earlier start still runs",
                "oneOf": [{"const": value, "title": title} for value, title in overlaps.items()],
                "default": filled_in.get("overlap", "skip"),
                "order": 3,
            },
            "create": {"type": "boolean", "element": "submit", "label": "Create the schedule", "order": 4},
            "stop": {**STOP, "order": 5},
        },
    }
