"""News of messages reach the browsers of those who may see them, and nobody else's."""

from typing import Any

import pytest

from executions.consumers import in_thread
from inbox.asking import Question, create_message
from inbox.bodies import make_body
from inbox.operations import answer_message
from tests.cast import Cast, hold
from tests.live.conftest import Starter
from tests.live.test_socket import cookie_of, opened

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.asyncio
async def test_who_may_see_a_message_hears_of_it_and_of_its_answer(cast: Cast, start: Starter) -> None:
    execution = await in_thread(start)
    tabs = {}
    for name in ("bob", "mallory"):
        tabs[name] = await opened(await cookie_of(getattr(cast, name)))
        await tabs[name].ask(subscribe="shell")
        await tabs[name].hear("snapshot")

    def ask(**recipients: Any) -> Any:
        question = Question("Ready?", make_body(request="?"), **recipients)
        return create_message(question, execution_id=execution.pk, project_id=cast.workshop.pk, by=cast.root)

    news = {"type": "topic", "topic": "inbox", "about": [str(execution.pk)]}
    message = await in_thread(ask)
    assert await tabs["bob"].hear("topic") == news
    await in_thread(lambda: answer_message(message, {"string": "x"}, by=cast.bob))
    assert await tabs["bob"].hear("topic") == news
    # Two messages were none of hers: the first that she hears of is addressed to her.
    await in_thread(lambda: ask(recipients=[cast.mallory]))
    assert await tabs["mallory"].hear("topic") == news
    role = await in_thread(lambda: hold(cast.mallory, "Viewer", cast.attic).role)
    await in_thread(lambda: ask(recipient_roles=[role]))
    assert await tabs["mallory"].hear("topic") == news
    assert await tabs["mallory"].socket.receive_nothing(0.3)
    for tab in tabs.values():
        await tab.close()
