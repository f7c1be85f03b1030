"""Every value has one JSON form, or is refused with the path to it."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import pathlib
import uuid
from typing import Any

import pytest

from flow_api.exceptions import InvalidInputError
from flow_api.values import MAX_DEPTH, to_json, to_json_or_text


class Colour(enum.Enum):
    RED = "red"


CET = datetime.timezone(datetime.timedelta(hours=1))


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        ("grüße", "grüße"),
        (datetime.datetime(2024, 2, 29, 12, 30), "2024-02-29T12:30:00+00:00"),
        (datetime.datetime(2024, 2, 29, 12, 30, tzinfo=CET), "2024-02-29T12:30:00+01:00"),
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (datetime.time(12, 30), "12:30:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.10"), "1.10"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (b"\x00\xff", "AP8="),
        (bytearray(b"a"), "YQ=="),
        (Colour.RED, "red"),
        ((1, [2, (3,)]), [1, [2, [3]]]),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (
            {2: "a", False: "b", Colour.RED: 1},
            {"2": "a", "false": "b", "red": 1},
        ),
    ],
)
def test_values_have_one_form(value: object, stored: object) -> None:
    found = to_json(value)
    assert found == stored
    assert json.loads(json.dumps(found, allow_nan=False)) == stored


def _cycle() -> list[Any]:
    cycle: list[Any] = [1]
    cycle.append({"again": cycle})
    return cycle


def _deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        ({"rows": [1, 2, 3, {"when": object()}]}, "inputs.rows[3].when", "type object"),
        ({"x": float("nan")}, "inputs.x", "nan"),
        ({"x": [2**64]}, "inputs.x[0]", "64 bits"),
        ({"x": -(2**63) - 1}, "inputs.x", "64 bits"),
        ([float("inf")], "inputs[0]", "inf"),
        (_cycle(), "inputs[1].again", "refers to itself"),
        ({"a": "x\x00y"}, "inputs.a", "NUL"),
        ({"a": "\ud800"}, "inputs.a", "surrogate"),
        ({None: 1}, "inputs", "keys are text"),
        ({(1, 2): 1}, "inputs", "keys are text"),
        ({1: "a", "1": "b"}, "inputs", "twice"),
        (lambda: 1, "inputs", "type function"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_path(value: object, path: str, reason: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        to_json(value, "inputs")
    assert str(refused.value).startswith(f"{path}: ")
    assert reason in str(refused.value)
    assert refused.value.data == {"path": path}


def test_depth_is_bounded() -> None:
    to_json(_deep(MAX_DEPTH))
    with pytest.raises(InvalidInputError, match="deeper"):
        to_json(_deep(MAX_DEPTH + 1))


def test_the_log_takes_everything() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    logged = to_json_or_text({"a": object, "b": float("nan"), "c": "x\x00", "d": Odd(), None: _cycle()})
    json.dumps(logged, allow_nan=False)
    assert logged["b"] == "nan"
    assert logged["c"] == "x\N{REPLACEMENT CHARACTER}"
    assert "RuntimeError" in logged["d"]
    assert logged["None"][0] == 1
