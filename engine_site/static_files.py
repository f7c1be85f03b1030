"""Serves static files from memory of their index, without leaving the event loop; a middleware.

whitenoise's own is synchronous: behind it every asynchronous view would hold a thread for as long as it waits.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware

Answer = HttpResponseBase | Awaitable[HttpResponseBase]


class StaticFiles(WhiteNoiseMiddleware):
    """whitenoise for both kinds of server."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Answer]) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Answer:
        if iscoroutinefunction(self):
            return self._answer_soon(request)
        answer: Answer = super().__call__(request)
        return answer

    async def _answer_soon(self, request: HttpRequest) -> HttpResponseBase:
        find = self.find_file if self.autorefresh else self.files.get
        file = find(request.path_info)
        if file is None:
            passed_on: HttpResponseBase = await self.get_response(request)
            return passed_on
        return _whole(file.get_response(request.method, request.META))


def _whole(found: Any) -> HttpResponse:
    """Return the file in one piece: Django would read a streamed one in a thread, and the files are small."""
    content = b""
    if found.file is not None:
        with found.file as file:
            content = file.read()
    answer = HttpResponse(content, status=int(found.status))
    del answer["content-type"]
    for key, value in found.headers:
        answer[key] = value
    return answer
