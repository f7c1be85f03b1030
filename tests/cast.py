"""The people and places of every test: who they are and what they may do.

`make_cast` is called by the fixtures that need them; calling it again finds the same ones.
"""

from dataclasses import dataclass

from access.models import Membership, User
from projects.models import DEFAULT_PROJECT, Project

PASSWORD = "correct horse battery"
Role = Membership.Role


@dataclass(frozen=True)
class Cast:
    """Root may do everything. In the workshop Alice edits, Bob runs, Carol looks on; in the attic only Alice
    has a place. Mallory is signed up and belongs nowhere."""

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
        (cast.alice, cast.workshop, Role.EDITOR),
        (cast.alice, cast.attic, Role.EDITOR),
        (cast.bob, cast.workshop, Role.OPERATOR),
        (cast.carol, cast.workshop, Role.VIEWER),
    ):
        Membership.objects.get_or_create(user=person, project=place, defaults={"role": role})
    return cast


def _user(username: str, **rights: bool) -> User:
    user = User.objects.filter(username=username).first()
    return user or User.objects.create_user(username, f"{username}@example.org", PASSWORD, **rights)


def _project(name: str) -> Project:
    return Project.objects.get_or_create(name=name, deleted_at=None)[0]
