"""REST of connectors: the generic views, the types with their schemas, and the test of a connection."""

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.rest import Guarded
from connectors.kinds import CONNECTOR
from connectors.types import MODULES, type_of
from records.api import RecordDetail, RecordDuplicate, RecordList, RecordRestore, read_parameters
from records.openapi import Described, list_of


class ConnectorView(Guarded):
    """What the views of connectors share."""

    kind = CONNECTOR


class ConnectorList(ConnectorView, RecordList):
    """Connectors, without their values unless `fields` asks for them. Secrets are written and never read."""


class ConnectorDetail(ConnectorView, RecordDetail):
    """One connector."""


class ConnectorRestore(ConnectorView, RecordRestore):
    """Takes a connector out of the trash."""


class ConnectorDuplicate(ConnectorView, RecordDuplicate):
    """Copies a connector in its project; with its secrets if you may change the original."""


class ConnectorTypes(APIView):
    """The types of connections, with the schemas of their inputs."""

    def describe(self, method: str) -> Described | None:
        texts = {name: {"type": "string"} for name in ("name", "title")}
        row = {"type": "object", "properties": {**texts, "schema": {"type": "object"}}}
        return Described("List the types of connections", list_of(row, {"type": "null"}))

    def get(self, request: Request) -> Response:
        read_parameters(request, ())
        rows = [
            {"name": name, "title": type_of(name).TITLE, "schema": type_of(name).SCHEMA} for name in MODULES
        ]
        return Response({"results": rows, "next": None})


urlpatterns = [
    path("connector", ConnectorList.as_view()),
    path("connector/types", ConnectorTypes.as_view()),
    path("connector/<str:key>/restore", ConnectorRestore.as_view()),
    path("connector/<str:key>/duplicate", ConnectorDuplicate.as_view()),
    path("connector/<path:key>", ConnectorDetail.as_view()),
]
