"""The people and places of every test: who they are and what they may do.

`make_cast` is called by the fixtures that need them; calling it again finds the same ones.
"""

from dataclasses import dataclass

from access.matrix import forget_matrix
from access.models import IdentityKind, IdentityRole, Role, User
from projects.default_roles import keep_default_roles
from projects.models import DEFAULT_PROJECT, Project

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Cast:
    """Root may do everything. In the workshop Alice is Admin, Bob is User, Carol is Viewer; in the attic only Alice
    has a place, as Admin. Mallory is signed up and belongs nowhere."""

    root: User
    alice: User
    bob: User
    carol: User
    mallory: User
    default: Project
    workshop: Project
    attic: Project


def make_cast() -> Cast:
    """Return the cast, made where it is missing."""
    people = {name: _user(name) for name in ("alice", "bob", "carol", "mallory")}
    places = {
        "default": _project(DEFAULT_PROJECT),
        "workshop": _project("Workshop"),
        "attic": _project("Attic"),
    }
    cast = Cast(root=_user("root", is_superuser=True, is_staff=True), **people, **places)
    for person, place, role in (
        (cast.alice, cast.workshop, "Admin"),
        (cast.alice, cast.attic, "Admin"),
        (cast.bob, cast.workshop, "User"),
        (cast.carol, cast.workshop, "Viewer"),
    ):
        hold(person, role, place)
    return cast


def hold(person: User, role: str, place: Project | None = None) -> IdentityRole:
    """Let a person hold a role: in this place, or everywhere."""
    if not Role.objects.filter(name=role).exists():
        keep_default_roles()  # a test before this one may have emptied the tables
    found = Role.objects.get(name=role)
    forget_matrix(person)
    return IdentityRole.objects.get_or_create(
        identity_kind=IdentityKind.USER, identity_id=person.pk, role=found, project=place
    )[0]


def _user(username: str, **rights: bool) -> User:
    user = User.objects.filter(username=username).first()
    return user or User.objects.create_user(username, f"{username}@example.org", PASSWORD, **rights)


def _project(name: str) -> Project:
    return Project.objects.get_or_create(name=name, deleted_at=None)[0]
