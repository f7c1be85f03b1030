"""The ways to let time pass: sleep, wait for the first of several, and wait no longer than so long.

While it sleeps or waits it holds no slot. The header of its page says what it waits for.
"""

import datetime

import flow_api

QUICK = "def handler(system, this):\n    this.sleep(0.5)\n    return {'won': 'quick'}\n"
SLOW = "def handler(system, this):\n    this.sleep(30)\n    return {'won': 'slow'}\n"


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    this.log("sleeping for a second")
    this.sleep(1)

    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    this.log(f"sleeping until {moment:%H:%M:%S}")
    this.sleep_until(moment)

    quick = this.script(QUICK, name="Quick", wait=False)
    slow = this.script(SLOW, name="Slow", wait=False)
    this.wait_for(quick, slow, return_when=system.return_when.FIRST_ENDED)
    this.log("the first has ended", quick=quick.get("status"), slow=slow.get("status"))

    try:
        slow.wait(timeout=1)
    except flow_api.DependencyTimeoutError as error:
        this.log(f"not waiting any longer: {error}", level="warning")
    slow.cancel()

    # ALL_ENDED does not mind how it ended.
    slow.wait(return_when=system.return_when.ALL_ENDED)
    return this.success(f"slow: {slow.get('status')}")
