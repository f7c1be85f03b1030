"""What the documents say of the code is so: tables, names, links."""

import re
from pathlib import Path

import pytest

import flow_api
from engine_site import environment
from executions.kinds import EXECUTION
from executions.lifecycle import ALIVE, Reason, Status, may_move
from records import configuration
from tests.docs.pages import PAGES, ROOT, page, table_after

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors_of(text: str) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in _LINK.findall(document.read_text()):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        there = (document.parent / name).resolve() if name else document
        assert there.exists(), f"{document.name} links to {target}"
        if anchor:
            assert anchor in anchors_of(there.read_text()), f"{document.name} links to {target}"


def test_the_settings_are_those_of_the_code() -> None:
    described = table_after(environment.__doc__ or "", "knows no Django setting")
    assert table_after(page("docs/operations.md"), "## Settings") == described


def test_the_options_are_those_of_the_code() -> None:
    described = {
        row[0].strip("`"): (row[1].strip("`"), row[2].replace("`", ""))
        for row in table_after(page("docs/operations.md"), "## Configuration")
    }
    offered = {
        name: (option.default, option.description.replace("`", ""))
        for name, option in configuration._options.items()
    }
    assert described == offered


def test_the_statuses_and_their_arrows_are_those_of_the_code() -> None:
    text = page("docs/states.md")
    statuses = {row[0].strip("`") for row in table_after(text, "## The statuses")}
    assert statuses == set(Status)
    section = text.split("## The arrows", 1)[1]
    shown = {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1]))
        for row in table_after(section, "resume──► as before")
    }
    assert shown == {str(old): {str(new) for new in Status if may_move(old, new)} for old in ALIVE}


def test_the_reasons_are_those_of_the_code() -> None:
    rows = table_after(page("docs/states.md"), "## Reasons")
    shown = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert shown == set(Reason)


def test_every_name_of_flow_api_is_described() -> None:
    text = page("docs/flow_api.md")
    unexplained = {name for name in flow_api.__all__ if name not in text}
    assert unexplained <= {"Flow", "NotSet", "Project", "Record", "ReturnWhen", "Status", "User"}


def test_the_fields_of_executions_are_those_of_the_code() -> None:
    listed = page("docs/flow_api.md").split("Fields of an execution:", 1)[1].split(".\n", 1)[0]
    assert set(re.findall(r"`(\w+)`", listed)) == set(EXECUTION.read)


def test_documents_name_no_file_that_is_not_there() -> None:
    for document in PAGES:
        for name in re.findall(r"`((?:\w+/)+\w+\.(?:py|md|html|js))`", document.read_text()):
            assert (ROOT / name).exists(), f"{document.name} names {name}"
