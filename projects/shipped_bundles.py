"""The bundles that ship: folders in `projects/shipped/`, each with a `bundle.yaml` and its records as files.

`projects.bundles` imports them. The files are texts; nothing in these folders is a module of ours. The Default roles
are in no file: what they allow follows the record types that there are.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from access.default_roles import DESCRIPTIONS, permissions_of_default
from access.operations import in_order
from records.export_form import Document, DocumentBroken, Key, read_folder
from records.kinds import kind_of

SHIPPED = Path(__file__).resolve().parent / "shipped"
DEFAULT_ROLES = "Default roles"


@dataclass(frozen=True)
class ShippedBundle:
    """One bundle as its folder holds it."""

    name: str
    version: str
    description: str
    documents: tuple[Document, ...]  # each behind those that it points at

    def digests(self) -> dict[Key, str]:
        return {document.key: document.digest for document in self.documents}


def shipped_bundles() -> dict[str, ShippedBundle]:
    """Return the bundles that ship, by name; read once per process. Raises DocumentBroken."""
    return _read_all(SHIPPED)


@cache
def default_roles() -> ShippedBundle:
    """Return the bundle of the roles that are always there."""
    documents = tuple(_role(name, words) for name, words in DESCRIPTIONS.items())
    words = "The roles that are always there. They follow the record types, so every upgrade brings them up to date."
    return ShippedBundle(DEFAULT_ROLES, "1.0", words, documents)


def _role(name: str, description: str) -> Document:
    permissions = in_order((None, kind, operation) for kind, operation in permissions_of_default(name))
    fields = {"name": name, "description": description, "is_readonly": False, "permissions": permissions}
    return Document(kind_of("role"), fields)


@cache
def _read_all(folder: Path) -> dict[str, ShippedBundle]:
    bundles = [default_roles(), *(_read(path) for path in folder.glob("*/bundle.yaml"))]
    return {bundle.name: bundle for bundle in sorted(bundles, key=lambda bundle: bundle.name)}


def _read(path: Path) -> ShippedBundle:
    about = yaml.safe_load(path.read_text())
    if not isinstance(about, dict) or set(about) != {"name", "version", "description"}:
        raise DocumentBroken(path, "give name, version and description, and nothing else.")
    documents = tuple(read_folder(path.parent))
    for document in documents:
        kind = document.kind
        if None in (kind.create, kind.save, kind.trash) or not hasattr(kind.model, "bundle"):
            raise DocumentBroken(path, f"a {kind.name} cannot be in a bundle.")
    return ShippedBundle(about["name"], str(about["version"]), about["description"].strip(), documents)
