"""Addresses of the Execution Live Monitor and of one execution's pages."""

from django.urls import path

from executions import connection_views, control_views, log_views, monitor_views, savepoint_views, views

urlpatterns = [
    path("", monitor_views.monitor_page, name="execution-monitor"),
    path("count", monitor_views.monitor_count, name="execution-count"),
    path("activity", monitor_views.monitor_activity, name="execution-activity"),
    path("poll", monitor_views.live_poll, name="live-poll"),
    path("rows", monitor_views.rows_of, name="execution-rows"),
    path("matching", monitor_views.monitor_matching, name="execution-matching"),
    path("bulk", monitor_views.monitor_bulk, name="execution-bulk"),
    path("maintenance/start", control_views.maintenance_start, name="maintenance-start"),
    path("maintenance/end", control_views.maintenance_end, name="maintenance-end"),
    path("connector/<uuid:connector_id>/test", connection_views.connector_test, name="connector-test"),
    path("connector/<uuid:connector_id>/run", connection_views.connector_run, name="connector-run"),
    path("<uuid:execution_id>/", views.execution_detail, name="execution-detail"),
    path("<uuid:execution_id>/drawer", views.execution_drawer, name="execution-drawer"),
    path("<uuid:execution_id>/children", views.execution_children, name="execution-children"),
    path("<uuid:execution_id>/log", log_views.execution_log, name="execution-log"),
    path("<uuid:execution_id>/log.txt", log_views.execution_log_text, name="execution-log-text"),
    path(
        "<uuid:execution_id>/savepoints/<int:number>",
        savepoint_views.savepoint_value,
        name="execution-savepoint",
    ),
    path(
        "<uuid:execution_id>/savepoints/restore", savepoint_views.execution_go_back, name="execution-go-back"
    ),
    path("<uuid:execution_id>/savepoints/fork", savepoint_views.execution_fork, name="execution-fork"),
    path("<uuid:execution_id>/pause", control_views.execution_pause, name="execution-pause"),
    path("<uuid:execution_id>/resume", control_views.execution_resume, name="execution-resume"),
    path("<uuid:execution_id>/cancel", control_views.execution_cancel, name="execution-cancel"),
    path("<uuid:execution_id>/rerun", control_views.execution_rerun, name="execution-rerun"),
    path("<uuid:execution_id>/run", control_views.execution_run, name="execution-run"),
    path("<uuid:execution_id>/delete", control_views.execution_delete, name="execution-delete"),
    path("<uuid:execution_id>/restore", control_views.execution_restore, name="execution-restore"),
]
