"""What waits when Engine is stopped goes on when it is started again: a form, a queue at a lock, tries, a schedule."""

import pytest

from tests.acceptance.engine import Engine, Rest
from tests.acceptance.test_walk import eventually
from tests.connections.servers import Answer, Asked, Web, as_json

pytestmark = pytest.mark.process

# Holds the lock until somebody has approved.
APPROVAL = """
def handler(system, this, inputs):
    system.setting('the only key').acquire()
    form = {
        'type': 'object',
        'required': ['who'],
        'properties': {
            'who': {'element': 'string', 'type': 'string', 'label': 'Who says so?'},
            'approve': {'element': 'submit', 'type': 'boolean', 'label': 'Approve'},
        },
    }
    answer = this.message('May they go on?', body=form).get('response')
    system.setting('the only key').release()
    return answer
"""
ONE_OF_MANY = """
def handler(system, this, inputs):
    key = system.setting('the only key')
    key.acquire()
    this.set_output('was', key.get('value'))
    key.save(value=key.get('value') + [inputs['number']])
    key.release()
"""
PERSISTENT = """
def handler(system, this, inputs):
    call = this.using('retry', max_tries=60, delay_sec=1).connect(connector_type='REST', url=inputs['url'])
    return call.get('output_value')
"""
QUEUE = 50


class Shop:
    """A site that is closed at first."""

    def __init__(self, web: Web) -> None:
        self.is_open, self.asked = False, 0
        self.url = web.page("/shop", self._answer)

    async def _answer(self, asked: Asked) -> Answer:
        self.asked += 1
        return as_json({"welcome": True}) if self.is_open else Answer(503)


def test_a_stop_and_a_start_in_the_middle(engine: Engine, admin: Rest, web: Web) -> None:
    shop = Shop(web)
    for name in ("Scheduling", "Wrappers"):
        admin.have_bundle(name)
    admin.post("/setting", name="the only key", value=[])
    approval = admin.post("/execution", script=APPROVAL, name="approval")
    admin.wait_for(approval["id"], "WAITING_FOR_MESSAGE")
    many = []
    for number in range(QUEUE):
        made = admin.post("/execution", script=ONE_OF_MANY, name="one of many", inputs={"number": number})
        many.append(admin.wait_for(made["id"], "WAITING_FOR_LOCK")["id"])
    persistent = admin.post("/execution", script=PERSISTENT, name="persistent", inputs={"url": shop.url})
    assert eventually(lambda: shop.asked >= 2)
    ticks = admin.post("/flow", name="ticks", script="def handler(system, this, inputs):\n    return 1\n")
    schedule = admin.post(
        "/schedule",
        name="each second",
        flow_id=ticks["id"],
        scheduler_name="Interval",
        configuration={"seconds": 1},
        is_enabled=True,
    )
    path = f"/schedule/{schedule['id']}/firings"
    assert eventually(lambda: len(admin.get(path)["results"]) >= 2)
    timer = admin.get(f"/schedule/{schedule['id']}")["execution_id"]

    engine.stop()
    engine.start()

    before = len(admin.get(path)["results"])
    assert eventually(lambda: len(admin.get(path)["results"]) >= before + 2), "the schedule goes on"
    assert admin.get(f"/schedule/{schedule['id']}")["execution_id"] == timer, "in the same execution"
    admin.patch(f"/schedule/{schedule['id']}", is_enabled=False)
    fired = [each["nominal_at"] for each in admin.get(path, limit=500)["results"]]
    assert len(fired) == len(set(fired)), "each time once"

    shop.is_open = True
    tried = admin.wait_for(persistent["id"], "ENDED_SUCCESS", "ENDED_ERROR")
    assert tried["status"] == "ENDED_SUCCESS", tried["message"]

    (message,) = admin.get("/message", filter='{"field": "subject", "value": "May they go on?"}')["results"]
    refused = admin.http.patch(f"/message/{message['id']}", json={"response": {"approve": True}})
    assert refused.status_code == 400 and "who" in refused.text
    admin.patch(f"/message/{message['id']}", response={"who": "Ada", "approve": True})
    approved = admin.wait_for(approval["id"], "ENDED_SUCCESS")
    assert approved["output_value"] == {"who": "Ada", "approve": True}
    for number, each in enumerate(many):
        one = admin.wait_for(each, "ENDED_SUCCESS", "ENDED_ERROR")
        assert one["output_value"] == {"was": list(range(number))}, "first come, first served, one at a time"
