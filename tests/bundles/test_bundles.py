"""Bundles: what an import makes, what keeps it as it is, and that updates and deletions do what they say."""

import pytest
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from access.permissions import PermissionRefused
from flows.models import Flow
from flows.operations import create_flow, duplicate_flow, save_flow, trash_flow
from projects import bundles
from projects.bundles import BundleInUse, delete_bundle, import_bundle, save_bundle, update_bundle
from projects.models import Bundle
from projects.shipped_bundles import DEFAULT_ROLES, shipped_bundles
from records.export_form import DocumentBroken, document_of
from records.kinds import kind_of
from records.models import RecordIsReadonly
from tests.bundles.conftest import SCRIPT, Ship, ship_tools
from tests.cast import Cast
from webhooks.models import Webhook
from webhooks.operations import create_webhook, trash_webhook

pytestmark = pytest.mark.django_db


def others() -> QuerySet[Bundle]:
    """All bundles but the one that is always there."""
    return Bundle.objects.exclude(name=DEFAULT_ROLES)


def flow(name: str) -> Flow:
    return Flow.objects.alive().get(name=name)


def test_an_import_makes_the_records(cast: Cast, tools: object) -> None:
    bundle = import_bundle("Tools", by=cast.root)
    made = flow("greet")
    assert (made.script, made.priority, made.description) == (SCRIPT.format("one"), 3, "Greets.")
    assert (made.project, made.bundle, made.version, made.created_by) == (cast.default, bundle, 1, cast.root)
    assert (bundle.version, bundle.has_update, bundle.is_dirty) == ("1.0", False, False)


def test_it_goes_into_the_chosen_project(cast: Cast, tools: object) -> None:
    import_bundle("Tools", by=cast.alice, project=cast.workshop)
    assert flow("count").project == cast.workshop


def test_who_may_not_make_records_there_may_not_import(cast: Cast, tools: object) -> None:
    with pytest.raises(PermissionRefused):
        import_bundle("Tools", by=cast.bob, project=cast.workshop)
    with pytest.raises(PermissionRefused):
        import_bundle("Tools", by=cast.alice)
    assert not others().exists() and not Flow.objects.exists()


def test_it_is_imported_once(cast: Cast, tools: object) -> None:
    import_bundle("Tools", by=cast.root)
    with pytest.raises(ValidationError, match="imported already"):
        import_bundle("Tools", by=cast.root)


def test_a_taken_name_refuses_the_whole_import(cast: Cast, tools: object) -> None:
    create_flow(by=cast.root, name="count")
    with pytest.raises(ValidationError, match="flow 'count'"):
        import_bundle("Tools", by=cast.root)
    assert not others().exists() and not Flow.objects.filter(name="greet").exists()


def test_an_unknown_bundle_is_named(cast: Cast, tools: object) -> None:
    with pytest.raises(ValidationError, match="no bundle 'Tolls' to import; there are: Default roles, Tools"):
        import_bundle("Tolls", by=cast.root)


def test_what_came_with_it_is_read_only(cast: Cast, tools: object) -> None:
    import_bundle("Tools", by=cast.root)
    with pytest.raises(RecordIsReadonly, match="came with the bundle 'Tools'"):
        save_flow(flow("greet"), by=cast.root, description="mine")
    with pytest.raises(RecordIsReadonly):
        save_flow(flow("greet"), by=cast.root, description="mine", is_readonly=False)
    with pytest.raises(RecordIsReadonly):
        trash_flow(flow("greet"), by=cast.root)
    copy = duplicate_flow(flow("greet"), by=cast.root)
    save_flow(copy, by=cast.root, description="mine")
    assert copy.bundle is None


def test_an_open_bundle_can_be_changed_and_tells_of_it(cast: Cast, tools: object) -> None:
    bundle = save_bundle(import_bundle("Tools", by=cast.root), by=cast.root, is_readonly=False)
    save_flow(flow("greet"), by=cast.root, description="mine")
    trash_flow(flow("count"), by=cast.root)
    assert bundle.changed_here() == [("flow", "count"), ("flow", "greet")]
    assert not bundle.has_update
    assert bundles.changes_of(bundle).words == "1 added, 1 changed"
    update_bundle(bundle, by=cast.root)
    assert flow("greet").description == "Greets."
    assert not others().get().is_dirty


def test_an_update_brings_what_ships_now(cast: Cast, ship: Ship) -> None:
    ship_tools(ship)
    bundle = import_bundle("Tools", by=cast.root)
    count = flow("count")
    ship_tools(ship, "1.1", word="two", flow_count=None, flow_sort="flow:\n  name: sort\n")
    assert bundle.has_update
    changes = update_bundle(bundle, by=cast.root)
    assert changes.added == [("flow", "sort")]
    assert changes.changed == [("flow", "greet")]
    assert changes.removed == [("flow", "count")]
    greet = flow("greet")
    assert (greet.script, greet.version, greet.is_locked) == (SCRIPT.format("two"), 2, True)
    count.refresh_from_db()
    assert count.is_deleted and count.bundle is None
    bundle.refresh_from_db()
    assert (bundle.version, bundle.has_update, bundle.is_dirty) == ("1.1", False, False)
    assert not update_bundle(bundle, by=cast.root)


def test_an_update_that_meets_a_taken_name_changes_nothing(cast: Cast, ship: Ship) -> None:
    ship_tools(ship)
    bundle = import_bundle("Tools", by=cast.root)
    create_flow(by=cast.root, name="sort")
    ship_tools(ship, "1.1", word="two", flow_sort="flow:\n  name: sort\n")
    with pytest.raises(ValidationError):
        update_bundle(bundle, by=cast.root)
    assert flow("greet").script == SCRIPT.format("one")


def test_a_deletion_frees_the_records_into_the_trash(cast: Cast, tools: object) -> None:
    bundle = save_bundle(import_bundle("Tools", by=cast.root), by=cast.root, is_readonly=False)
    trash_flow(flow("count"), by=cast.root)
    delete_bundle(bundle, by=cast.root)
    assert not others().exists()
    assert list(Flow.objects.trashed().values_list("name", "bundle").order_by("name")) == [
        ("count", None),
        ("greet", None),
    ]
    import_bundle("Tools", by=cast.root)  # its names are free


def test_what_is_used_is_not_deleted(cast: Cast, ship: Ship) -> None:
    ship_tools(ship)
    bundle = import_bundle("Tools", by=cast.root)
    webhook = create_webhook(by=cast.root, name="doorbell", flow=flow("greet"))
    with pytest.raises(BundleInUse, match="the webhook 'doorbell' uses the flow 'greet'"):
        delete_bundle(bundle, by=cast.root)
    (folder := ship_tools(ship, "1.1")).joinpath("greet.flow.yaml").unlink()
    (folder / "greet.flow.py").unlink()
    with pytest.raises(BundleInUse):
        update_bundle(bundle, by=cast.root)
    assert flow("greet").bundle == bundle
    trash_webhook(webhook, by=cast.root)
    delete_bundle(bundle, by=cast.root)


def test_records_may_point_at_each_other(cast: Cast, ship: Ship) -> None:
    ship_tools(
        ship,
        webhook_aaa="webhook:\n  name: aaa\n  flow_id_flow: {name: greet}\n",
        webhook_bbb="webhook:\n  name: bbb\n  flow_id_flow: {name: mine}\n",
    )
    with pytest.raises(ValidationError, match="webhook 'bbb' needs the flow 'mine', which is not here"):
        import_bundle("Tools", by=cast.root)
    create_flow(by=cast.root, name="mine")
    bundle = import_bundle("Tools", by=cast.root)
    assert Webhook.objects.get(name="aaa").flow == flow("greet")
    assert not bundle.is_dirty
    delete_bundle(bundle, by=cast.root)
    assert set(Webhook.objects.trashed().values_list("name", flat=True)) == {"aaa", "bbb"}


def test_only_editors_update_open_and_delete(cast: Cast, tools: object) -> None:
    bundle = import_bundle("Tools", by=cast.alice, project=cast.workshop)
    for act in (
        lambda: update_bundle(bundle, by=cast.bob),
        lambda: save_bundle(bundle, by=cast.bob, is_readonly=False),
        lambda: delete_bundle(bundle, by=cast.bob),
    ):
        with pytest.raises(PermissionRefused):
            act()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("flow: [1", "not YAML"),
        ("flow:\n  name: a\nrole:\n  name: b\n", "give one type"),
        ("flaw:\n  name: a\n", "no record type 'flaw'"),
        ("flow:\n  colour: red\n", "give the fields, with a name"),
        ("flow:\n  name: a\n  colour: red\n", "a flow has no field 'colour'"),
        ("flow:\n  name: a\n  project_id_project: {name: Workshop}\n", "has no field 'project_id_project'"),
        ("project:\n  name: a\n", "a project cannot be in a bundle"),
    ],
)
def test_broken_files_say_what_is_wrong(cast: Cast, ship: Ship, text: str, words: str) -> None:
    ship(flow_a=text)
    with pytest.raises(DocumentBroken, match=words):
        shipped_bundles()


def test_a_record_reads_back_as_its_document(cast: Cast, tools: object) -> None:
    import_bundle("Tools", by=cast.root)
    fields = document_of(kind_of("flow"), flow("greet")).fields
    assert (fields["name"], fields["script"], fields["input_schema"]) == ("greet", SCRIPT.format("one"), None)
    assert "project" not in fields


@pytest.mark.parametrize("name", ["Scheduling", "Wrappers"])
def test_every_bundle_that_ships_comes_and_goes(cast: Cast, name: str) -> None:
    shipped = shipped_bundles()[name]
    bundle = import_bundle(shipped.name, by=cast.root)
    assert set(bundle.held()) == set(shipped.digests())
    assert not bundle.is_dirty and not bundle.has_update
    delete_bundle(bundle, by=cast.root)
    assert not others().exists()
