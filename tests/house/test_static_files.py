"""Static files are served by either kind of server, and sent again only when they changed."""

from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from engine_site.static_files import StaticFiles


@pytest.fixture(autouse=True)
def files(tmp_path: Path, settings: Any) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_AUTOREFRESH = False
    settings.WHITENOISE_USE_FINDERS = False
    (tmp_path / "app.css").write_text("body {}")


def passed_on(request: HttpRequest) -> HttpResponse:
    return HttpResponse("from the view")


async def passed_on_soon(request: HttpRequest) -> HttpResponse:
    return passed_on(request)


def request_for(path: str, **headers: str) -> HttpRequest:
    return RequestFactory().get(path, headers=headers)


@pytest.mark.asyncio
async def test_the_event_loop_is_not_left() -> None:
    serve = StaticFiles(passed_on_soon)
    assert iscoroutinefunction(serve)
    answer = await serve(request_for("/static/app.css"))  # type: ignore[misc]
    assert isinstance(answer, HttpResponse)
    assert (answer.status_code, answer.content) == (200, b"body {}")
    assert answer["content-type"].startswith("text/css")
    answer = await serve(request_for("/elsewhere"))  # type: ignore[misc]
    assert isinstance(answer, HttpResponse)
    assert answer.content == b"from the view"


def test_a_synchronous_server_is_served_too() -> None:
    serve = StaticFiles(passed_on)
    assert not iscoroutinefunction(serve)
    answer: Any = serve(request_for("/static/app.css"))
    assert b"".join(answer.streaming_content) == b"body {}"
    answer.file_to_stream.close()


@pytest.mark.asyncio
async def test_an_unchanged_file_is_not_sent_again() -> None:
    serve: Any = StaticFiles(passed_on_soon)
    first = await serve(request_for("/static/app.css"))
    again = await serve(request_for("/static/app.css", if_modified_since=first["Last-Modified"]))
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.asyncio
async def test_a_part_of_a_file_is_sent_as_asked() -> None:
    serve: Any = StaticFiles(passed_on_soon)
    answer = await serve(request_for("/static/app.css", range="bytes=0-3"))
    assert (answer.status_code, answer.content) == (206, b"body")
