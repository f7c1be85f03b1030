"""Scheduler and schedule as their doors see them."""

from projects.kinds import AUDIT
from records.kinds import Kind, register
from schedules import operations, scheduler_operations
from schedules.models import Firing, Schedule, Scheduler

SCHEDULER = register(
    Kind(
        name="scheduler",
        model=Scheduler,
        read=(
            "id", "name", "description", "project_id", "bundle_id", "built_in", "script", "version",
            "has_syntax_error", "input_schema", "configuration_schema", "is_readonly", *AUDIT,
        ),
        write=("name", "description", "project", "built_in", "script", "input_schema", "is_readonly"),
        references={"project": "project"},
        large=("script", "input_schema", "configuration_schema"),
        shapes={"configuration_schema": {"type": ["object", "null"]}},
        create=scheduler_operations.create_scheduler,
        save=scheduler_operations.save_scheduler,
        trash=scheduler_operations.trash_scheduler,
        restore=scheduler_operations.restore_scheduler,
        duplicate=scheduler_operations.duplicate_scheduler,
    )
)  # fmt: skip

SCHEDULE = register(
    Kind(
        name="schedule",
        model=Schedule,
        read=(
            "id", "name", "description", "project_id", "bundle_id", "scheduler_id", "configuration", "time_zone",
            "flow_id", "input_value", "is_enabled", "overlap", "catch_up", "catch_up_seconds", "jitter_seconds",
            "ends_at", "max_iterations", "pause_on_failure", "enabled_at", "stopped_because", "iterations", "next_at",
            "next_runs", "execution_id", "roles", "is_readonly", *AUDIT,
        ),
        write=(
            "name", "description", "project", "scheduler", "configuration", "time_zone", "flow", "input_value",
            "is_enabled", "overlap", "catch_up", "catch_up_seconds", "jitter_seconds", "ends_at", "max_iterations",
            "pause_on_failure", "is_readonly",
        ),
        references={"project": "project", "scheduler": "scheduler", "flow": "flow"},
        large=("configuration", "input_value", "next_runs", "roles"),
        shapes={
            "next_runs": {"type": "array", "items": {"type": "string", "format": "date-time"}},
            "roles": {"type": "array", "items": {"type": "string"}},
        },
        create=operations.create_schedule,
        save=operations.save_schedule,
        trash=operations.trash_schedule,
        restore=operations.restore_schedule,
        duplicate=operations.duplicate_schedule,
    )
)  # fmt: skip

# Not registered: it is read through its schedule.
FIRING = Kind(
    name="firing",
    model=Firing,
    read=("id", "schedule_id", "nominal_at", "cause", "outcome", "message", "execution_id", "at"),
    by="id",
    order="-nominal_at",
    has_trash=False,
)
