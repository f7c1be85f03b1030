"""What is in the trash can be deleted for good: by those who may, with what belongs to it, and by itself in time."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access import trash
from access.permissions import PermissionRefused
from executions import jobs
from executions.housekeeping import all_jobs, run_job
from executions.lifecycle import Status
from executions.models import Execution
from executions.operations import trash_execution
from flows.kinds import FLOW
from flows.models import Flow, FlowVersion
from flows.operations import create_flow, restore_flow, save_flow, trash_flow
from projects.models import Project
from projects.operations import create_project, trash_project
from records import purging
from records.purging import StillNeeded
from tests.cast import Cast
from tests.rest.conftest import Caller
from tests.retention.conftest import SCRIPT, Put

pytestmark = pytest.mark.django_db
TRASH = next(job for job in all_jobs() if job.work is jobs.empty_trash)


def test_a_flow_goes_for_good_and_its_executions_stay(
    put: Put, flow: Flow, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "_PIECE", 2)
    stay = [put(1) for _ in range(5)]
    save_flow(flow, by=cast.root, script=SCRIPT + "# more")
    with pytest.raises(trash.NotInTheTrash):
        trash.purge(flow, by=cast.root)
    trash_flow(flow, by=cast.root)
    trash.purge(flow, by=cast.root)
    assert not Flow.objects.filter(pk=flow.pk).exists() and not FlowVersion.objects.exists()
    assert set(Execution.objects.values_list("flow", flat=True)) == {None}
    assert Execution.objects.count() == len(stay)


def test_only_those_who_may_delete_it(flow: Flow, cast: Cast) -> None:
    trash_flow(flow, by=cast.alice)
    with pytest.raises(PermissionRefused):
        trash.purge(flow, by=cast.carol)
    trash.purge(flow, by=cast.alice)


def test_a_project_goes_with_all_that_lives_in_it(put: Put, cast: Cast) -> None:
    place = create_project("Cellar", by=cast.root)
    of_place = create_flow(by=cast.root, project=place, name="Digger", script=SCRIPT)
    put(1, flow=of_place, project=place)
    lives = put(1, Status.SLEEPING, flow=of_place, project=place)
    trash_project(place, by=cast.root)
    with pytest.raises(StillNeeded, match="The execution 'sort' lives"):
        trash.purge(place, by=cast.root)
    Execution.objects.filter(pk=lives.pk).update(status=Status.ENDED_CANCELLED, ended_at=timezone.now())
    trash.purge(place, by=cast.root)
    assert not Project.objects.filter(pk=place.pk).exists()
    assert not Flow.objects.filter(pk=of_place.pk).exists() and not Execution.objects.exists()


def test_emptying_goes_on_behind_what_is_needed(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [
        create_flow(by=cast.root, project=cast.workshop, name=f"flow {n}", script=SCRIPT) for n in range(5)
    ]
    elsewhere = create_flow(by=cast.root, project=cast.default, name="elsewhere", script=SCRIPT)
    for each in (*made, elsewhere):
        trash_flow(each, by=cast.root)
    removes = purging.remove_one

    def refuses(record: Flow, until: float) -> None:
        if record.name == "flow 2":
            raise StillNeeded("'flow 2' is still needed by the schedule 'nightly'.")
        removes(record, until)

    monkeypatch.setattr(purging, "remove_one", refuses)
    done = trash.empty_trash(FLOW, by=cast.alice)
    assert (done.removed, done.has_more) == (4, False)
    assert done.words == "4 deleted for good. 'flow 2' is still needed by the schedule 'nightly'."
    assert set(Flow.objects.values_list("name", flat=True)) == {"flow 2", "elsewhere"}


def test_what_takes_too_long_goes_on_when_asked_again(
    put: Put, flow: Flow, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(1)
    trash_flow(flow, by=cast.root)
    monkeypatch.setattr(trash, "SECONDS", -1.0)
    with pytest.raises(StillNeeded, match="ask again"):
        trash.purge(flow, by=cast.root)
    monkeypatch.setattr(trash, "SECONDS", 10.0)
    trash.purge(flow, by=cast.root)


def test_the_trash_empties_itself_in_time(flow: Flow, cast: Cast, days: Callable[..., None]) -> None:
    days(trash=7)
    fresh = create_flow(by=cast.root, project=cast.workshop, name="fresh", script=SCRIPT)
    for each in (flow, fresh):
        trash_flow(each, by=cast.root)
    Flow.objects.filter(pk=flow.pk).update(deleted_at=timezone.now() - timedelta(days=8))
    assert run_job(TRASH).count == 1
    assert list(Flow.objects.values_list("name", flat=True)) == ["fresh"]
    restore_flow(fresh, by=cast.root)


def test_rest_deletes_for_good(put: Put, flow: Flow, cast: Cast) -> None:
    alice = Caller(cast.alice)
    path = f"/flow/{flow.pk}"
    assert alice.delete(path, {"trashed": "true"}).status == 404
    assert alice.delete(path).status == 204
    assert Caller(cast.carol).delete(path, {"trashed": "true"}).status == 403
    assert alice.delete(path, {"trashed": "true"}).status == 204
    assert not Flow.objects.exists()
    for each in (put(1, flow=None, type="SCRIPT"), put(1, flow=None, type="SCRIPT")):
        trash_execution(each, by=cast.root)
    assert alice.delete("/execution").status == 400
    assert alice.delete("/execution", {"trashed": "true"}).body == {
        "removed": 2,
        "kept": [],
        "has_more": False,
    }
    assert alice.delete("/process", {"trashed": "true"}).status in (400, 403, 405)


def test_pages_delete_for_good(put: Put, flow: Flow, cast: Cast) -> None:
    browser = Client()
    browser.force_login(cast.alice)
    execution = put(1)
    trash_execution(execution, by=cast.root)
    assert "Delete finally" in browser.get(reverse("execution-detail", args=[execution.pk])).content.decode()
    browser.post(reverse("record-purge", args=["execution", execution.pk]))
    assert not Execution.objects.exists()
    trash_flow(flow, by=cast.root)
    listed = browser.get(reverse("flow-list") + "?trash").content.decode()
    assert "Delete finally" in listed and "Empty the trash" in listed
    said = browser.post(reverse("trash-empty", args=["flow"]), follow=True).content.decode()
    assert "1 deleted for good." in said and "The trash is empty" in said
    assert browser.post(reverse("record-purge", args=["flow", "no-id"])).status_code == 404
    assert browser.post(reverse("trash-empty", args=["user"])).status_code == 404


def test_the_command_does_all_at_once(put: Put, flow: Flow) -> None:
    put(40)
    call_command("housekeeping", stdout=(out := StringIO()))
    assert "retention: 1" in out.getvalue() and "trash: 0" in out.getvalue()
