"""Promises of the design that files can break silently: one table of statuses, existing icons, no inline scripts."""

import inspect
import re
from datetime import UTC, datetime, timedelta

import pytest

import flow_api
from engine_site.environment import CLONE
from executions.lifecycle import Status
from flow_api.execution import Execution
from records.templatetags.ui import LOOKS, duration_text, relative_text

TEMPLATES = sorted((CLONE / "templates").rglob("*.html"))
SCRIPTS = sorted((CLONE / "static/js").rglob("*.js"))
ICONS = set(re.findall(r'<symbol id="([^"]+)"', (CLONE / "static/img/icons.svg").read_text()))


def test_every_status_has_a_look():
    assert set(LOOKS) == set(Status)
    assert {look.word for look in LOOKS.values()} == {status.label for status in Status}


def test_scripts_and_templates_draw_statuses_alike():
    text = (CLONE / "static/js/ui/status.js").read_text()
    rows = re.findall(r'^  (\w+): \["(\w+)", "([\w-]+)", "([^"]+)"\],$', text, re.MULTILINE)
    assert {status: tuple(look) for status, *look in rows} == {
        name: tuple(look) for name, look in LOOKS.items()
    }


def test_named_icons_exist():
    named = {look.icon for look in LOOKS.values()}
    for path in TEMPLATES:
        named |= set(re.findall(r'{% icon "([\w-]+)"', path.read_text()))
    for path in SCRIPTS:
        named |= set(re.findall(r'\bicon\("([\w-]+)"', path.read_text()))
    assert named - ICONS == set()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(CLONE / "templates")))
def test_pages_hold_no_inline_scripts(path):
    text = path.read_text()
    inline = re.findall(r"<script(?![^>]*(?:\bsrc=|type=\"application/json\"))[^>]*>", text)
    assert inline == [] and re.findall(r"\son(?:click|change|submit|load|input)=|javascript:", text) == []


def test_imports_of_modules_lead_to_files():
    for path in SCRIPTS:
        for target in re.findall(r'^(?:import|export)[^"\n]*"(\.[^"]+)"', path.read_text(), re.MULTILINE):
            assert (path.parent / target).resolve().is_file(), f"{path.name} imports {target}"


def test_the_editor_offers_only_what_flows_have():
    text = (CLONE / "static/js/editor_words.js").read_text()
    words = {
        owner: set(re.findall(r'^    \["(\w+)"', body, re.MULTILINE))
        for owner, body in re.findall(r"^  (\w+): \[\n(.*?)^  \],", text, re.MULTILINE | re.DOTALL)
    }
    assert words["this"] - {name for name, _ in inspect.getmembers(Execution)} == set()
    assert words["flow_api"] - set(flow_api.__all__) == set()
    assert {"flow", "log", "success"} <= words["this"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"), (0.04, "40 ms"), (7.25, "7.2 s"), (59.9, "59 s"), (65, "1 min 05 s"), (7380, "2 h 03 min"),
        (273600, "3 d 4 h"), (-5, "0 ms"),
    ],
)  # fmt: skip
def test_durations_read_well(seconds, text):
    assert duration_text(seconds) == duration_text(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "just now"), (12, "12 s ago"), (-300, "in 5 min"), (7300, "2 h ago"), (200_000, "29 Jan 2030")],
)
def test_moments_read_well(seconds, text):
    now = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
    assert relative_text(now - timedelta(seconds=seconds), now) == text


def luminance(colour):
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", ["accent-solid", "accent-solid-hover", "danger-solid", "danger-solid-hover"])
def test_white_words_on_buttons_have_contrast_by_day_and_night(name):
    text = (CLONE / "static/css/tokens.css").read_text()
    assert "--on-accent: #ffffff;" in text
    found = re.search(rf"--{name}: light-dark\((#\w{{6}}), (#\w{{6}})\);", text)
    assert all(1.05 / (luminance(colour) + 0.05) >= 4.5 for colour in found.groups())
