"""One part of a report, started by the flow "Report with children"."""

import random

import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    if inputs.get("part") == "title":
        this.set_output("title", "Sales by region")
        return this.success("title written")

    region = inputs.get("region", "Nowhere")
    this.log(f"counting {region}")
    this.sleep(random.uniform(0.5, 2.0))  # as if the numbers came from somewhere far away

    this.set_output(region=region, sales=random.randrange(100, 1000))
    return this.success(f"{region} counted")
