"""Writes a long log of every kind: words, levels, structures, and what is printed.

Open the tab Log while it runs: follow it, search it, show only the warnings.
"""

import sys

import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    lines = inputs.get("lines", 2000)

    for number in range(1, lines + 1):
        if number % 500 == 0:
            this.log(f"line {number} is an error, but only a pretended one", level="error")
        elif number % 50 == 0:
            this.log(f"line {number} is a warning", level="warning")
        elif number % 25 == 0:
            this.log("a structure stays a structure", number=number, square=number**2)
        else:
            print(f"line {number} was printed")
        if number % 100 == 0:
            this.sleep(0.1)

    print("this went to stderr", file=sys.stderr)
    return this.success(f"{lines} lines written")
