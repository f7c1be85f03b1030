"""REST of connections beside that of executions: the test of a connector."""

from django.http import Http404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.models import Connector
from executions.api import ExecutionView
from executions.kinds import EXECUTION
from executions.models import Execution
from executions.starting import try_connector
from records.cleaning import clean_body, clean_value
from records.openapi import Described, ref, shape_name


class ConnectorTest(ExecutionView):
    """POST tries a connector: it does something harmless that shows whether the connection works."""

    reads = ("fields", "wait")

    def describe(self, method: str) -> Described | None:
        more = "The answer is the connection's execution; with `wait`, when it has ended: its status and message tell."
        return Described(
            "Test a connection", ref(shape_name(EXECUTION)), status=201, errors=(403, 404), more=more
        )

    def post(self, request: Request, key: str) -> Response:
        clean_body(request.data, ())
        key_of_connector = clean_value(Connector._meta.get_field("id"), key)
        connector = self.visible(Connector.objects.alive()).filter(pk=key_of_connector).first()
        if connector is None:
            raise Http404(f"There is no connector {key!r} here.")
        execution = try_connector(connector, by=request.user, origin=Execution.Origin.API)
        base = request.path.split("/connector", 1)[0]
        return self.answered(execution, 201, {"Location": f"{base}/execution/{execution.pk}"})


urlpatterns = [path("connector/<str:key>/test", ConnectorTest.as_view())]
