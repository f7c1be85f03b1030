"""Makes a report out of parts: children that run one after the other, and children that run side by side.

Open the tabs Children and Timeline while it runs. The message in its header says how far it has come.
"""

import flow_api

REGIONS = ["North", "East", "South", "West"]


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    regions = inputs.get("regions") or REGIONS

    # A synchronous child: this line waits for it, and raises if it does not succeed.
    title = this.flow("Report part", name="Title page", part="title").get("output_value")
    this.log("the title page is ready", title)

    # Asynchronous children: each is started at once, and all run side by side.
    children = [
        this.flow("Report part", name=f"Region {region}", part="region", region=region, wait=False)
        for region in regions
    ]
    this.save(message=f"waiting for {len(children)} regions")

    # A waiting execution costs nothing: it gives its slot to others.
    total = 0
    for number, child in enumerate(this.wait_for(children), start=1):
        part = child.get("output_value")
        total += part["sales"]
        this.set_output(part["region"], part["sales"])
        this.save(message=f"collected {number} of {len(children)} regions")

    this.set_output("total", total)
    return this.success(f"{len(children)} regions, {total} sold")
