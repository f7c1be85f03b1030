"""A script that meddles with its channel spoils its own run, and nothing else: its worker and neighbours go on."""

import pytest

from executions.lifecycle import Status
from tests.executions.cluster import Fleet
from tests.executions.stage import Stage

pytestmark = pytest.mark.process

# The script finds the socket of its channel among its open descriptors, as a malicious one would.
MEDDLE = """
import json, os, socket, time
def send(*messages, raw=b''):
    wire = socket.socket(fileno=os.dup(3))
    for message in messages:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        wire.sendall(len(body).to_bytes(4, 'big') + body)
    wire.sendall(raw)
def handler(system, this, inputs):
    {body}
"""


@pytest.mark.parametrize(
    "body",
    [
        "send({'log': 'no note'})",
        "send({'log': {'text': {'a': 1}, 'level': [], 'stream': {}, 'seq': 'x', 'data': 1}})",
        "send({'log': {'text': 'a\\0b', 'seq': 2**70, 'data': {'k\\0': ['v\\0']}}})",
        "send({'log': {'text': 'a', 'seq': -1}})",
        "send({'log': {'text': 'fine', 'data': {'k\\0': ['v\\0', {'deep': '\\0'}]}}})",
        "send({'end': 'well'}); os._exit(0)",
        "send({'end': {'status': 'success', 'output': {'a': 'x\\0'}, 'has_output': True}}); os._exit(0)",
        "send({'end': {'status': 'success', 'message': 'x\\0' * 9}}); os._exit(0)",
        "send({'end': {'status': ['success'], 'message': {'a': 1}}}); os._exit(0)",
        "send({'call': 'sleep'})",
        "send({'call': 'sleep', 'n': 'one', 'args': {}})",
        "send({'call': 'sleep', 'n': 2**80, 'args': {'seconds': 1}})",
        "send({'call': 'sleep', 'n': 1, 'args': [1, 2]})",
        "send({'call': 'sleep', 'n': 1, 'args': {'seconds': 'x'}})",
        "send({'call': 'execution.wait', 'n': 1, 'args': {}})",
        "send({'call': 'execution.start', 'n': 1, 'args': {'type': 7, 'fields': 5, 'script': 9}})",
        "send({'call': 'record.get', 'n': 1, 'args': {'type': {}, 'select': []}})",
        "send({'call': 'a\\0b', 'n': 1, 'args': {'k\\0': 1}, 'digest': '\\0', 'line': 2**70})",
        "send(*({'call': 'sleep', 'n': n, 'args': {'seconds': 0.5}} for n in (1, 2)))",
        "send(b'garbage')",
        "send(b'[1]')",
        "send(b'{\"log\": ' + b'[' * 100000)",
        "send(raw=b'\\xff' * 8)",
        "os.close(3); time.sleep(0.3)",
        "os.closerange(0, 100); time.sleep(0.3)",
    ],
)
def test_forged_messages(play: Stage, fleet: Fleet, body: str) -> None:
    (worker,) = fleet.workers
    before = worker.host()
    neighbour = play.start("this.sleep(0.2)\nthis.log('still here')\nreturn 5")
    forger = play.start(MEDDLE.format(body=body + "; time.sleep(0.2); this.set_output(a=1)"))
    play.ended(forger, neighbour)
    neighbour.refresh_from_db()
    assert (neighbour.status, neighbour.output_value, neighbour.attempt) == (Status.ENDED_SUCCESS, 5, 1)
    assert worker.host() == before, "the host died of it"
