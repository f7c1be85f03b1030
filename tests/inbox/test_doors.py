"""Messages through REST and pages: who sees and answers them, what a wrong answer is told, and the second one."""

import re

import pytest
from django.urls import reverse

from access.models import Role
from inbox.asking import Question, create_message
from inbox.bodies import make_body
from inbox.models import Message
from inbox.operations import answer_message, read_bell
from inbox.panel import draw
from tests.cast import hold
from tests.inbox.test_asking import FORM


@pytest.fixture
def ask(stage, cast):
    """Returns a way to have a message of a new execution, without a host."""

    def asked(project=None, recipients=(), roles=(), message_type="INFO", **body) -> Message:
        project = project or cast.workshop
        execution = stage.start("pass", by=cast.root, project=project, run=False)
        form = make_body(**(body or {"body": FORM}))
        people = {"recipients": list(recipients), "recipient_roles": list(roles)}
        question = Question("Ready?", form, message_type, **people)
        return create_message(question, execution_id=execution.pk, project_id=project.pk, by=cast.root)

    return asked


def test_a_program_answers_and_the_second_is_told(ask, caller):
    message = ask()
    address = f"/message/{message.pk}"
    alice, bob = caller("alice"), caller("bob")
    seen = bob.get(address).body
    assert (seen["subject"], seen["is_submitted"], seen["response"]) == ("Ready?", False, None)
    assert seen["body"]["properties"]["reason"]["element"] == "string"
    done = bob.patch(address, {"response": {"reason": "ok", "go": True}})
    assert (done.status, done.body["response"]) == (200, {"reason": "ok", "go": True, "stop": False})
    assert done.body["answered_by_id"] == str(bob.user.pk)
    late = alice.patch(address, {"response": {"stop": True}})
    assert (late.status, late.code) == (409, "already_answered")
    assert "answered by bob at 20" in late.body["error"]["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"response": {"reason": 5, "go": True}},
            "response.reason: must be a text, not 5 (rule type string)",
        ),
        ({"response": {"go": True}}, "response.reason: is required (rule required)"),
        ({"response": {"reason": "x"}}, "press one of these: go, stop (rule submit)"),
        ({"response": {"reason": "x", "go": True, "more": 1}}, "response.more: is not known here"),
        ({"response": "yes"}, "must be an object"),
        ({}, "This field is required."),
        ({"subject": "new"}, "There is no such field to set"),
    ],
)
def test_a_wrong_answer_is_told_path_value_and_rule(ask, caller, body, words):
    message = ask()
    refused = caller("bob").patch(f"/message/{message.pk}", body)
    assert refused.status == 400 and words in str(refused.details)
    message.refresh_from_db()
    assert message.is_open


def test_who_may_see_and_answer(ask, caller, cast):
    message = ask()
    answer = {"response": {"stop": True}}
    assert caller("carol").get(f"/message/{message.pk}").status == 200
    assert caller("carol").patch(f"/message/{message.pk}", answer).status == 403
    assert caller("root").get(f"/message/{message.pk}").status == 200
    assert caller("mallory").get(f"/message/{message.pk}").status == 404
    assert caller("mallory").patch(f"/message/{message.pk}", answer).status == 404
    assert caller("bob").patch(f"/message/{message.pk}", answer).status == 200
    to_mallory = ask(project=cast.attic, recipients=[cast.mallory])
    assert caller("alice").patch(f"/message/{to_mallory.pk}", answer).status == 403
    assert [row["id"] for row in caller("mallory").get("/message").body["results"]] == [str(to_mallory.pk)]
    assert caller("mallory").patch(f"/message/{to_mallory.pk}", answer).status == 200


def test_a_role_is_asked(ask, caller, cast):
    role = Role.objects.create(name="Approvers")
    message = ask(roles=[role])
    answer = {"response": {"stop": True}}
    assert caller("alice").patch(f"/message/{message.pk}", answer).status == 403
    assert caller("mallory").get(f"/message/{message.pk}").status == 404
    hold(cast.mallory, "Approvers")
    assert read_bell(cast.mallory)["count"] == 1
    assert caller("mallory").patch(f"/message/{message.pk}", answer).status == 200


def test_the_list_leaves_out_forms_and_filters(ask, caller):
    first, second = ask(), ask(message="Look")
    bob = caller("bob")
    rows = bob.get(
        "/message", {"filter": {"field": "is_submitted", "op": "eq", "value": False}, "limit": 2}
    ).body
    assert [row["id"] for row in rows["results"]] == [str(second.pk), str(first.pk)]
    assert "body" not in rows["results"][0] and rows["results"][0]["is_notice"] is True


def test_the_trash(ask, caller):
    message = ask(message="Look")
    alice = caller("alice")
    assert caller("bob").delete(f"/message/{message.pk}").status == 403
    assert alice.delete(f"/message/{message.pk}").status == 204
    assert alice.get(f"/message/{message.pk}").status == 404
    assert alice.post(f"/message/{message.pk}/restore").status == 200
    assert alice.patch(f"/message/{message.pk}", {"response": {}}).status == 200


def test_the_bell_counts_what_waits_for_me(ask, cast):
    before = {
        name: read_bell(getattr(cast, name))["count"] for name in ("alice", "bob", "carol", "mallory", "root")
    }
    ask()
    popup = ask(recipients=[cast.mallory], message_type="POPUP")
    after = {name: read_bell(getattr(cast, name))["count"] - before[name] for name in before}
    assert after == {"alice": 1, "bob": 1, "carol": 0, "mallory": 1, "root": 1}
    assert read_bell(cast.mallory)["popups"] == [str(popup.pk)]
    answer_message(popup, {"stop": True}, by=cast.mallory)
    assert read_bell(cast.mallory) == {"count": 0, "text": "0", "popups": []}


def fields_of(html: str) -> dict[str, str]:
    return {name.rpartition(".")[2]: name for name in re.findall(r'name="(m[0-9a-f]{32}\.[^"]+)"', html)}


def test_a_person_answers_on_the_page(ask, browser, cast):
    message = ask()
    bob = browser(cast.bob)
    page = bob.get(reverse("message-detail", args=[message.pk]))
    names = fields_of(page.content.decode())
    address = reverse("message-answer", args=[message.pk])
    wrong = bob.post(address, {names["reason"]: "", names["go"]: "true"})
    assert wrong.status_code == 422 and "Is required." in wrong.content.decode()
    done = bob.post(address, {names["reason"]: "fine", names["go"]: "true"}, follow=True)
    assert "Answered “Ready?”." in done.content.decode()
    message.refresh_from_db()
    assert message.response == {"reason": "fine", "go": True, "stop": False}
    late = (
        browser(cast.alice)
        .post(address, {names["stop"]: "true"}, headers={"HX-Request": "true"})
        .content.decode()
    )
    assert "was answered by bob" in late and "<form" not in late and "<dd>fine</dd>" in late


def test_the_page_of_one_who_may_only_look(ask, browser, cast):
    message = ask(recipients=[cast.mallory])
    text = browser(cast.carol).get(reverse("message-detail", args=[message.pk])).content.decode()
    assert "Addressed to mallory" in text and fields_of(text) == {}
    answer = {f"m{message.pk.hex}.stop": "true"}
    refused = browser(cast.carol).post(reverse("message-answer", args=[message.pk]), answer)
    assert refused.status_code == 403
    assert browser(cast.mallory).get(reverse("message-detail", args=[message.pk])).status_code == 200


def test_the_execution_page_holds_the_form(ask, browser, cast, rf):
    message = ask()
    address = reverse("execution-detail", args=[message.execution_id])
    text = browser(cast.bob).get(address).content.decode()
    assert 'data-live="messages"' in text and set(fields_of(text)) == {"reason", "go", "stop"}
    answer_message(message, {"stop": True}, by=cast.bob)
    request = rf.get(address)
    request.user = cast.bob
    assert "<form" not in draw(request, message.execution)


@pytest.mark.parametrize("show", ["mine", "open", "answered", "all", "trash"])
def test_the_inbox_lists(ask, browser, cast, show):
    message = ask(project=cast.attic, recipients=[cast.mallory])
    mallory = browser(cast.mallory)
    found = mallory.get(reverse("message-list"), {"show": show, "q": "read"}).content.decode()
    assert (str(message.pk) in found) == (show in ("mine", "open", "all"))
    assert (
        "No message matches"
        in mallory.get(reverse("message-list"), {"show": show, "q": "zzz"}).content.decode()
    )
    assert str(message.pk) in mallory.get(reverse("inbox-latest")).content.decode()
    assert mallory.get(reverse("inbox-bell")).json()["count"] >= 1


def test_markdown_of_a_message_is_harmless(ask, browser, cast):
    message = ask(message="**hi** <script>alert(1)</script> [x](javascript:alert(1))")
    text = browser(cast.bob).get(reverse("message-card", args=[message.pk])).content.decode()
    assert "<strong>hi</strong>" in text and "<script>alert" not in text and 'href="javascript' not in text
