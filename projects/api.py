"""REST of projects."""

from django.urls import path

from access.rest import Guarded
from projects.kinds import PROJECT
from records.api import RecordDetail, RecordList, RecordRestore


class ProjectList(Guarded, RecordList):
    """Projects."""

    kind = PROJECT


class ProjectDetail(Guarded, RecordDetail):
    """One project."""

    kind = PROJECT


class ProjectRestore(Guarded, RecordRestore):
    """Takes a project out of the trash."""

    kind = PROJECT


urlpatterns = [
    path("project", ProjectList.as_view()),
    path("project/<str:key>/restore", ProjectRestore.as_view()),
    path("project/<path:key>", ProjectDetail.as_view()),
]
