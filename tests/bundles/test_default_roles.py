"""The bundle of the default roles: there from the first start, kept up to date, and never deleted."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from access.default_roles import DESCRIPTIONS, permissions_of_default
from access.models import Role, RolePermission
from access.operations import permissions_of, rows_of, save_role, trash_role
from projects.bundles import BundleInUse, delete_bundle, save_bundle, update_bundle
from projects.default_roles import keep_default_roles
from projects.models import Bundle
from projects.shipped_bundles import DEFAULT_ROLES
from records.models import RecordIsReadonly
from tests.cast import Cast
from tests.rest.conftest import Caller

pytestmark = pytest.mark.django_db
ONE_ROW = [{"project_id": None, "record_type": "flow", "operation": "READ"}]


@pytest.fixture
def bundle(cast: Cast) -> Bundle:
    return Bundle.objects.get(name=DEFAULT_ROLES)


def role(name: str) -> Role:
    return Role.objects.alive().get(name=name)


def is_as_shipped(name: str) -> bool:
    wanted = {(None, kind, operation) for kind, operation in permissions_of_default(name)}
    return role(name).description == DESCRIPTIONS[name] and rows_of(role(name)) == wanted


def test_it_is_there_from_the_first_start(bundle: Bundle) -> None:
    assert set(bundle.held()) == {("role", name) for name in DESCRIPTIONS}
    assert all(map(is_as_shipped, DESCRIPTIONS))
    assert (bundle.version, bundle.project.is_default, bundle.is_readonly) == ("1.0", True, True)
    assert not bundle.has_update and not bundle.is_dirty


def test_its_roles_are_read_only(bundle: Bundle, cast: Cast) -> None:
    for fields in ({"permissions": ONE_ROW}, {"description": "mine", "is_readonly": False}):
        with pytest.raises(RecordIsReadonly, match="came with the bundle 'Default roles'"):
            save_role(role("Viewer"), by=cast.root, **fields)
    with pytest.raises(RecordIsReadonly):
        trash_role(role("Viewer"), by=cast.root)


def test_it_is_never_deleted(bundle: Bundle, cast: Cast) -> None:
    with pytest.raises(BundleInUse, match="'Default roles' stays: new projects"):
        delete_bundle(bundle, by=cast.root)
    answer = Caller(cast.root).delete(f"/bundle/{bundle.pk}")
    assert (answer.status, answer.code) == (409, "conflict")
    assert set(bundle.held()) == {("role", name) for name in DESCRIPTIONS}


def test_an_update_brings_back_what_was_changed(bundle: Bundle, cast: Cast) -> None:
    save_bundle(bundle, by=cast.root, is_readonly=False)
    save_role(role("Viewer"), by=cast.root, permissions=ONE_ROW)
    save_role(role("User"), by=cast.root, description="mine")
    assert bundle.changed_here() == [("role", "User"), ("role", "Viewer")]
    keep_default_roles()  # as the next upgrade does
    assert permissions_of(role("Viewer")) == ONE_ROW and role("User").description == "mine"
    assert update_bundle(bundle, by=cast.root).words == "2 changed"
    assert is_as_shipped("Viewer") and is_as_shipped("User")
    assert not Bundle.objects.get(pk=bundle.pk).is_dirty


def test_an_upgrade_follows_the_record_types(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    from projects import default_roles, shipped_bundles

    def as_of_next(name: str) -> set[tuple[str, str]]:
        return permissions_of_default(name) | {("process", "READ")}

    monkeypatch.setattr(shipped_bundles, "permissions_of_default", as_of_next)
    monkeypatch.setattr(default_roles, "permissions_of_default", as_of_next)
    forget_what_ships()
    try:
        assert Bundle.objects.get(pk=bundle.pk).has_update
        keep_default_roles()
        assert (None, "process", "READ") in rows_of(role("Viewer"))
        found = Bundle.objects.get(pk=bundle.pk)
        assert not found.has_update and not found.is_dirty
    finally:
        forget_what_ships()


def forget_what_ships() -> None:
    from projects import shipped_bundles

    shipped_bundles.default_roles.cache_clear()
    shipped_bundles._read_all.cache_clear()


def test_roles_of_the_time_before_the_bundle_are_taken_over(bundle: Bundle, cast: Cast) -> None:
    Role.objects.filter(bundle=bundle).update(bundle=None, is_readonly=True)
    bundle.delete()
    Role.objects.filter(name="User").update(is_readonly=False)  # somebody took it over
    RolePermission.objects.filter(role__name__in=["User", "Viewer"]).delete()
    before = role("Viewer").pk
    keep_default_roles()
    found = Bundle.objects.get(name=DEFAULT_ROLES)
    assert found.changed_here() == [("role", "User")] and not found.is_readonly
    assert is_as_shipped("Viewer") and role("Viewer").pk == before and not rows_of(role("User"))
    update_bundle(found, by=cast.root)
    assert is_as_shipped("User")


def test_a_missing_role_comes_back(bundle: Bundle, cast: Cast) -> None:
    save_bundle(bundle, by=cast.root, is_readonly=False)
    trash_role(role("Webhook"), by=cast.root)
    keep_default_roles()
    assert is_as_shipped("Webhook")
    assert not Bundle.objects.get(pk=bundle.pk).is_dirty


def test_the_pages_tell_of_it(bundle: Bundle, cast: Cast, client: Client) -> None:
    client.force_login(cast.root)

    def page(name: str, *args: Any) -> str:
        return client.get(reverse(name, args=args)).content.decode()

    listed = page("bundle-list")
    assert DEFAULT_ROLES in listed and bundle.version in listed
    shown = page("bundle-detail", DEFAULT_ROLES)
    assert all(reverse("role-detail", args=[role(name).pk]) in shown for name in DESCRIPTIONS)
    assert "bundle-delete" not in shown and reverse("bundle-delete", args=[DEFAULT_ROLES]) not in shown
    detail = page("role-detail", role("Viewer").pk)
    assert "which keeps it as it is" in detail and 'data-opens="edit-role"' not in detail
