"""Every REST address, below /api/latest/ and /api/1/, with its description and the page to read it."""

from django.http import Http404
from django.urls import path, re_path
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access import api as access
from access import audit_api as audit
from access import roles_api as roles
from access import users_api as users
from connectors import api as connectors
from engine_site import configuration_api as configuration
from engine_site.reference import api_docs
from executions import api as executions
from executions import bulk_api as bulk
from executions import connection_api as connections
from executions import control_api as control
from executions import savepoint_api as savepoints
from executions import trace_api as traces
from flows import api as flows
from inbox import api as inbox
from projects import api as projects
from records.forms import META_SCHEMA
from records.openapi import Described
from schedules import api as schedules
from webhooks import api as webhooks


class Schema(SpectacularAPIView):
    """The description of this API in OpenAPI 3.1; `?format=json` or `yaml`."""

    renderer_classes = [OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer]
    permission_classes = [AllowAny]
    content_negotiation_class = DefaultContentNegotiation


class FormSchema(APIView):
    """The grammar of forms as a JSON Schema, for editors that check and complete."""

    def describe(self, method: str) -> Described | None:
        return Described("Read the grammar of forms", {"type": "object"})

    def get(self, request: Request) -> Response:
        return Response(META_SCHEMA)


class Nothing(APIView):
    """Answers addresses that do not exist, in the shape of errors."""

    permission_classes = [AllowAny]
    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        hint = " Addresses have no slash at their end." if request.path.endswith("/") else ""
        raise Http404(f"There is nothing at this address.{hint} See /api/latest/docs for what there is.")

    def get(self, request: Request) -> Response:
        raise Http404

    post = put = patch = delete = get


urlpatterns = [
    *access.urlpatterns,
    *users.urlpatterns,
    *roles.urlpatterns,
    *audit.urlpatterns,
    *connections.urlpatterns,
    # Before the addresses of records, whose last part may be anything.
    *bulk.urlpatterns,
    *control.urlpatterns,
    *savepoints.urlpatterns,
    *traces.urlpatterns,
    *projects.urlpatterns,
    *flows.urlpatterns,
    *connectors.urlpatterns,
    *executions.urlpatterns,
    *configuration.urlpatterns,
    *inbox.urlpatterns,
    *schedules.urlpatterns,
    *webhooks.urlpatterns,
    path("schema", Schema.as_view(), name="api-schema"),
    path("docs", api_docs, name="api-docs"),
    path("formSchema.json", FormSchema.as_view()),
    re_path(r"^.*$", Nothing.as_view()),
]
