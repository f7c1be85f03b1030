"""News of a webhook's calls reach the browsers of those who may see it, and nobody else's."""

import pytest

from executions.consumers import in_thread
from flows.models import Flow
from projects.models import Project
from tests.cast import Cast, hold
from tests.live.test_socket import cookie_of, opened
from webhooks import receiving
from webhooks.call_log import note_answered, note_refused, redeliver
from webhooks.incoming import Incoming
from webhooks.models import Webhook, WebhookCall
from webhooks.operations import create_webhook
from webhooks.shaping import Answer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.asyncio
async def test_each_call_and_each_answer_is_told(cast: Cast, flow: Flow) -> None:
    def make(name: str, project: Project) -> Webhook:
        return create_webhook(by=cast.alice, name=name, flow=flow, project=project, is_enabled=True)

    webhook = await in_thread(lambda: make("orders", cast.workshop))
    other = await in_thread(lambda: make("others", cast.attic))
    await in_thread(lambda: hold(cast.mallory, "Viewer", cast.attic))
    tabs = {}
    for name in ("bob", "mallory"):
        tabs[name] = await opened(await cookie_of(getattr(cast, name)))
        await tabs[name].ask(subscribe="shell")
        await tabs[name].hear("snapshot")
    news = {"type": "topic", "topic": "webhook_calls", "about": [str(webhook.pk)]}
    incoming = Incoming(method="POST", path="", query_string="", headers={}, remote_address="127.0.0.1")
    made = await in_thread(lambda: receiving.accept(webhook, incoming))
    assert await tabs["bob"].hear("topic") == news
    await in_thread(lambda: note_answered(webhook, made.call_id, Answer(200), 5))
    assert await tabs["bob"].hear("topic") == news
    await in_thread(lambda: note_refused(webhook, incoming, Answer(405), None, 1))
    assert await tabs["bob"].hear("topic") == news
    await in_thread(lambda: redeliver(WebhookCall.objects.get(pk=made.call_id), by=cast.alice))
    assert await tabs["bob"].hear("topic") == news
    # All that was none of hers: the first that she hears of is the webhook that she may see.
    await in_thread(lambda: note_refused(other, incoming, Answer(405), None, 1))
    assert await tabs["mallory"].hear("topic") == news | {"about": [str(other.pk)]}
    for tab in tabs.values():
        await tab.close()
