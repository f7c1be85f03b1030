"""The flows that a fresh site has to learn from, and how they are loaded. The command `load_demo` calls it.

Their scripts are the files in `flows/demo/`: texts that become flows, never modules of ours.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from access.models import User
from flows.models import Flow
from flows.operations import create_flow, save_flow
from projects.models import Project
from projects.operations import create_project

SCRIPTS = Path(__file__).resolve().parent / "demo"
PROJECTS = {"my-project": "A second project, for the demo flow “Children in projects”."}


@dataclass(frozen=True)
class Demo:
    """One demo flow: its name, the file of its script, and the shape of its inputs."""

    name: str
    file: str
    input_schema: dict[str, Any] | None = None

    @property
    def script(self) -> str:
        return (SCRIPTS / self.file).read_text()

    @property
    def description(self) -> str:
        """The first sentence of the script's docstring."""
        return self.script.split('"""')[1].splitlines()[0]


def _inputs(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


DEMO = (
    Demo(
        "Hello",
        "hello.py",
        _inputs(
            name={"type": "string", "title": "Name", "default": "world", "order": 1},
            times={
                "type": "integer",
                "title": "Times",
                "default": 1,
                "minimum": 1,
                "maximum": 100,
                "order": 2,
            },
        ),
    ),
    Demo(
        "Report with children", "report.py", _inputs(regions={"type": "array", "items": {"type": "string"}})
    ),
    Demo("Report part", "report_part.py"),
    Demo("Waits and sleeps", "waits.py"),
    Demo("Handles a failing child", "failing_child.py"),
    Demo("Fails on purpose", "fails.py", _inputs(after={"type": "integer", "minimum": 0})),
    Demo("Long log", "long_log.py", _inputs(lines={"type": "integer", "minimum": 1, "maximum": 40_000})),
    Demo("Starts a child", "starts_child.py"),
    Demo(
        "Asks a person",
        "asks.py",
        _inputs(minutes={"type": "number", "title": "Minutes until the default answer", "default": 60}),
    ),
    Demo("Children in projects", "children_in_projects.py"),
    Demo("my-child-flow", "my_child_flow.py"),
)


def load_demo(by: User) -> list[str]:
    """Make the demo flows and projects that are missing; returns their names.

    What was changed or renamed is left alone, and what lies in the trash stays there.
    """
    made = []
    for name, description in PROJECTS.items():
        if not Project.objects.filter(name=name).exists():
            create_project(name, by=by, description=description)
            made.append(name)
    for demo in DEMO:
        if not Flow.objects.filter(name=demo.name).exists():
            create_flow(by=by, **_fields(demo), name=demo.name)
            made.append(demo.name)
    return made


def restore_demo(by: User) -> list[str]:
    """Give the demo flows that exist their first scripts back, as new versions; returns the names of those changed."""
    changed = []
    for demo in DEMO:
        flow = Flow.objects.alive().filter(name=demo.name).first()
        if flow is not None and flow.script != demo.script:
            save_flow(flow, by=by, **_fields(demo))
            changed.append(demo.name)
    return changed


def _fields(demo: Demo) -> dict[str, Any]:
    return {"script": demo.script, "description": demo.description, "input_schema": demo.input_schema}
