"""Addresses of the pages of flows. Starting one is the site's door: flows know nothing of executions."""

from flows.views import FlowPages

urlpatterns = FlowPages().urlpatterns()
