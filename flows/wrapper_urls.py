"""Addresses of the pages of wrappers."""

from flows.wrapper_views import WrapperPages

urlpatterns = WrapperPages().urlpatterns()
