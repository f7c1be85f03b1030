"""REST of schedulers and schedules: the generic views; next runs, firings, preview, run now, backfill."""

from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from access.rest import Guarded
from executions.kinds import EXECUTION
from records.api import RecordDetail, RecordDuplicate, RecordList, RecordRestore, RecordView
from records.cleaning import clean_body, clean_moment
from records.kinds import resolve_references
from records.listing import PARAMETERS, list_page, read_limit, read_query
from records.openapi import Described, kind_shape, list_of, object_of, ref
from schedules import operations
from schedules.kinds import FIRING, SCHEDULE, SCHEDULER
from schedules.models import Firing
from schedules.recurrence import next_moments

MOST_RUNS = 100
_MOMENT = {"type": "string", "format": "date-time"}
_MOMENTS = {"type": "array", "items": _MOMENT}
_EXAMPLE = {
    "name": "daily-report",
    "flow_name": "report",
    "scheduler_name": "Daily",
    "configuration": {"time": "08:30"},
    "time_zone": "Europe/Vienna",
    "is_enabled": True,
}


class SchedulerList(Guarded, RecordList):
    """Schedulers: those of your projects, and the built-in ones."""

    kind = SCHEDULER


class SchedulerDetail(Guarded, RecordDetail):
    """One scheduler."""

    kind = SCHEDULER


class SchedulerRestore(Guarded, RecordRestore):
    """Takes a scheduler out of the trash."""

    kind = SCHEDULER


class SchedulerDuplicate(Guarded, RecordDuplicate):
    """Copies a scheduler in its project."""

    kind = SCHEDULER


class ScheduleView(Guarded):
    """What the views of schedules share."""

    kind = SCHEDULE


class ScheduleList(ScheduleView, RecordList):
    """Schedules, without configuration, inputs and next runs unless `fields` asks for them."""

    def describe(self, method: str) -> Described | None:
        described = super().describe(method)
        return replace(described, example=_EXAMPLE) if described and method == "POST" else described


class ScheduleDetail(ScheduleView, RecordDetail):
    """One schedule. `is_enabled` starts and stops it."""


class ScheduleRestore(ScheduleView, RecordRestore):
    """Takes a schedule out of the trash; it stays disabled."""


class ScheduleDuplicate(ScheduleView, RecordDuplicate):
    """Copies a schedule in its project, disabled."""


class ScheduleNextRuns(ScheduleView, RecordView):
    """The next times of an enabled schedule; none when its scheduler is a script."""

    reads = ("by", "limit")

    def describe(self, method: str) -> Described | None:
        return Described("Read the next runs", object_of({"next_runs": _MOMENTS}), errors=(404,))

    def get(self, request: Request, key: str) -> Response:
        schedule, limit = self.find(key), read_limit(self.parameters, operations.PREVIEWED, MOST_RUNS)
        found = schedule.next_runs[:limit]
        if len(found) == operations.PREVIEWED and limit > len(found) and schedule.recurrence is not None:
            found += next_moments(schedule.recurrence, found[-1], limit - len(found), schedule.ends_at)
        return Response({"next_runs": found})


class ScheduleFirings(ScheduleView, RecordView):
    """What became of the times of a schedule, the latest first. They are kept for 30 days."""

    reads = (*(name for name in PARAMETERS if name != "trashed"), "by")

    def describe(self, method: str) -> Described | None:
        return Described("List the firings", list_of(kind_shape(FIRING)), errors=(404, 422))

    def get(self, request: Request, key: str) -> Response:
        query = read_query(FIRING, {name: value for name, value in self.parameters.items() if name != "by"})
        return Response(list_page(query, Firing.objects.filter(schedule=self.find(key))))


class ScheduleRun(ScheduleView, RecordView):
    """Starts the flow at once as the schedule does, also when it is disabled."""

    reads = ("by",)

    def describe(self, method: str) -> Described | None:
        return Described("Run it now", ref("Execution"), {"type": "object"}, 201, {}, errors=(403, 404))

    def post(self, request: Request, key: str) -> Response:
        clean_body(request.data, ())
        execution = operations.run_now(self.find(key), by=request.user)
        address = f"{request.path.split('/schedule/', 1)[0]}/execution/{execution.pk}"
        shown = {name: getattr(execution, name) for name in EXECUTION.read}
        return Response(shown, status=201, headers={"Location": address})


class ScheduleBackfill(ScheduleView, RecordView):
    """Starts the flow for the past times of a range that were not started. `dry_run` only tells which these are."""

    reads = ("by",)

    def describe(self, method: str) -> Described | None:
        body = object_of({"start": _MOMENT, "end": _MOMENT, "dry_run": {"type": "boolean"}}, ("start", "end"))
        result = object_of({"times": _MOMENTS, "open": _MOMENTS, "started": {"type": "boolean"}})
        example = {"start": "2030-01-01T00:00:00Z", "end": "2030-01-31T00:00:00Z", "dry_run": True}
        more = "`times` are those of the range, `open` those that were not started before."
        return Described("Make up for past times", result, body, 200, example, errors=(403, 404), more=more)

    def post(self, request: Request, key: str) -> Response:
        body = clean_body(request.data, ("start", "end", "dry_run"), ("start", "end"))
        if not isinstance(body.get("dry_run", False), bool):
            raise ValidationError({"dry_run": "Give true or false."})
        schedule, start, end = self.find(key), _moment(body, "start"), _moment(body, "end")
        if body.get("dry_run"):
            found = operations.look_back(schedule, start, end)
        else:
            found = operations.backfill(schedule, start, end, by=request.user)
        return Response({"times": found.times, "open": found.open, "started": not body.get("dry_run")})


class SchedulePreview(ScheduleView, RecordView):
    """The next times of a schedule that is not stored."""

    def describe(self, method: str) -> Described | None:
        text = {"type": "string"}
        body = object_of(
            {
                "scheduler_id": {**text, "format": "uuid"},
                "scheduler_name": text,
                "configuration": {"type": "object"},
                "time_zone": text,
                "ends_at": _MOMENT,
            },
            ("configuration",),
        )
        example = {
            "scheduler_name": "Daily",
            "configuration": {"time": "08:30"},
            "time_zone": "Europe/Vienna",
        }
        return Described("Preview times", object_of({"next_runs": _MOMENTS}), body, 200, example)

    def post(self, request: Request) -> Response:
        known = ("scheduler_id", "scheduler_name", "configuration", "time_zone", "ends_at")
        body = resolve_references(SCHEDULE, clean_body(request.data, known, ("configuration",)), self.visible)
        if body.get("scheduler") is None:
            raise ValidationError({"scheduler_name": "Give scheduler_id or scheduler_name."})
        ends_at = _moment(body, "ends_at") if body.get("ends_at") is not None else None
        zone = body.get("time_zone") or "UTC"
        found = operations.preview(body["scheduler"], body["configuration"], str(zone), ends_at=ends_at)
        return Response({"next_runs": found})


def _moment(body: dict[str, Any], name: str) -> Any:
    try:
        return clean_moment(body[name])
    except ValidationError as error:
        raise ValidationError({name: error.messages}) from error


urlpatterns = [
    path("scheduler", SchedulerList.as_view()),
    path("scheduler/<str:key>/restore", SchedulerRestore.as_view()),
    path("scheduler/<str:key>/duplicate", SchedulerDuplicate.as_view()),
    path("scheduler/<path:key>", SchedulerDetail.as_view()),
    path("schedule", ScheduleList.as_view()),
    path("schedule/preview", SchedulePreview.as_view()),
    path("schedule/<str:key>/restore", ScheduleRestore.as_view()),
    path("schedule/<str:key>/duplicate", ScheduleDuplicate.as_view()),
    path("schedule/<str:key>/next_runs", ScheduleNextRuns.as_view()),
    path("schedule/<str:key>/firings", ScheduleFirings.as_view()),
    path("schedule/<str:key>/run", ScheduleRun.as_view()),
    path("schedule/<str:key>/backfill", ScheduleBackfill.as_view()),
    path("schedule/<path:key>", ScheduleDetail.as_view()),
]
