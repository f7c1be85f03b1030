"""Log lines read well by people, and parse line by line for collectors."""

import json
import logging
import sys

from engine_site.logs import JsonFormatter, TextFormatter


def record(level: int = logging.INFO, message: str = "host %s is ready", **more: object) -> logging.LogRecord:
    made = logging.LogRecord("engine.host", level, __file__, 1, message, (7,), None)
    vars(made).update(more)
    return made


def test_json_has_the_fields_and_what_the_caller_added() -> None:
    line = json.loads(JsonFormatter("worker").format(record(execution="abc")))
    assert line["message"] == "host 7 is ready"
    assert (line["level"], line["role"], line["logger"], line["execution"]) == (
        "INFO",
        "worker",
        "engine.host",
        "abc",
    )
    assert line["at"].endswith("+00:00")


def test_json_keeps_an_exception_on_its_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        text = JsonFormatter("web").format(record(exc_info=sys.exc_info()))
    assert "\n" not in text
    assert "ValueError: two\nlines" in json.loads(text)["exception"]


def test_text_names_the_level_only_where_it_matters() -> None:
    plain = TextFormatter().format(record())
    assert plain.endswith(" engine.host: host 7 is ready")
    assert "INFO" not in plain
    assert " WARNING engine.host: " in TextFormatter().format(record(logging.WARNING))
