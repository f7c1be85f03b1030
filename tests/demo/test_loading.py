"""The demo content is there once, and people's own changes to it stay."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from flows.checks import check_script
from flows.demo_content import DEMO, PROJECTS, SCRIPTS, Demo
from flows.models import Flow
from flows.operations import create_flow, save_flow, trash_flow
from projects.models import Project
from tests.cast import Cast, make_cast


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def load(**options: Any) -> str:
    said = StringIO()
    call_command("load_demo", stdout=said, **options)
    return said.getvalue().strip()


@pytest.mark.parametrize("demo", DEMO, ids=lambda demo: demo.name)
def test_every_demo_script_is_sound_and_says_what_it_shows(demo: Demo) -> None:
    assert check_script(demo.script) == []
    assert demo.description.endswith((".", ":")) or "," in demo.description
    assert len(demo.description) > 20


def test_every_script_in_the_folder_becomes_a_flow() -> None:
    assert {path.name for path in SCRIPTS.glob("*.py")} == {demo.file for demo in DEMO}


def test_all_is_made_and_belongs_to_the_first_superuser(cast: Cast) -> None:
    said = load()
    flows = Flow.objects.alive().select_related("project", "created_by")
    assert {flow.name for flow in flows} == {demo.name for demo in DEMO}
    assert {flow.project.name for flow in flows} == {"Default project"}
    assert {flow.created_by for flow in flows} == {cast.root}
    assert not any(flow.has_syntax_error for flow in flows)
    assert Project.objects.alive().filter(name__in=PROJECTS).count() == len(PROJECTS)
    assert said.startswith("Made: my-project, Hello")


def test_loading_again_changes_nothing(cast: Cast) -> None:
    load()
    before = list(Flow.objects.order_by("id").values())
    assert load() == "Nothing to do: all demo flows are there."
    assert list(Flow.objects.order_by("id").values()) == before


def test_changes_and_removals_stay(cast: Cast) -> None:
    load()
    hello = Flow.objects.get(name="Hello")
    save_flow(hello, by=cast.root, script="def handler(system, this): return 1")
    trash_flow(Flow.objects.get(name="Long log"), by=cast.root)
    load()
    hello.refresh_from_db()
    assert hello.script == "def handler(system, this): return 1"
    assert not Flow.objects.alive().filter(name="Long log").exists()


def test_first_scripts_come_back_when_asked_for(cast: Cast) -> None:
    load()
    hello = Flow.objects.get(name="Hello")
    first = hello.script
    save_flow(hello, by=cast.root, script="def handler(system, this): return 1")
    assert load(restore=True) == "Restored: Hello."
    hello.refresh_from_db()
    assert (hello.script, hello.version) == (first, 3)


def test_a_site_with_flows_of_its_own_gets_none_at_a_start(cast: Cast) -> None:
    own = create_flow(by=cast.root, name="Own")
    trash_flow(own, by=cast.root)
    load(if_empty=True)
    assert list(Flow.objects.all()) == [own]


def test_an_empty_site_gets_them_at_a_start(cast: Cast) -> None:
    load(if_empty=True)
    assert Flow.objects.count() == len(DEMO)


def test_without_a_superuser_it_says_so(db: None) -> None:
    with pytest.raises(CommandError, match="createsuperuser"):
        load()
