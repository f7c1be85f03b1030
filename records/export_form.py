"""Records as files: one YAML document each, and its script in a file of the same name that ends in `.py`.

A document is `<type>:` with the fields. What it points at is named: `<field>_id_<type>: {name: …}`. Bundles read
it; nothing here writes to the database or asks for permission.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import orjson
import yaml
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from records.kinds import Kind, kind_of, select

Key = tuple[str, str]  # the type and the name of a record
_PLACE = {"project"}  # where a record lives is said by who imports it


class DocumentBroken(ValidationError):
    """A file is not the export form of a record; the message names the file and what is wrong."""

    def __init__(self, path: Path, words: str) -> None:
        super().__init__(f"{path.parent.name}/{path.name}: {words}")


@dataclass(frozen=True)
class Document:
    """One record as a file holds it, with its script put in."""

    kind: Kind
    fields: dict[str, Any]

    @property
    def name(self) -> str:
        name: str = self.fields[self.kind.name_field]
        return name

    @property
    def key(self) -> Key:
        return self.kind.name, self.name

    @property
    def digest(self) -> str:
        return digest_of(self.fields)

    def references(self) -> dict[str, Key]:
        """Return what it points at, by the name of the field."""
        return {
            field: (target, self.fields[alias]["name"])
            for field, target in self.kind.references.items()
            if self.fields.get(alias := f"{field}_id_{target}") is not None
        }

    def resolved(self, visible: Callable[["QuerySet[Any]"], "QuerySet[Any]"]) -> dict[str, Any]:
        """Return the fields as the type's verbs take them. Raises ValidationError for what points at nothing."""
        aliases = {f"{field}_id_{target}" for field, target in self.kind.references.items()}
        fields = {name: value for name, value in self.fields.items() if name not in aliases}
        for field, (target, name) in self.references().items():
            kind = kind_of(target)
            fields[field] = select(kind, name, by="name", rows=visible(kind.rows()))
            if fields[field] is None:
                words = f"The {self.kind.name} {self.name!r} needs the {target} {name!r}, which is not here."
                raise ValidationError(words)
        return fields


def digest_of(fields: dict[str, Any]) -> str:
    """Return a digest of these values that is the same for the same content."""
    text = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)
    return hashlib.sha256(text).hexdigest()[:32]


def document_of(kind: Kind, record: Any) -> Document:
    """Return a stored record as a document."""
    fields: dict[str, Any] = {}
    for name in kind.write:
        if name not in kind.references:
            fields[name] = getattr(record, name, None)
        elif name not in _PLACE:
            target, found = kind_of(kind.references[name]), getattr(record, name)
            fields[f"{name}_id_{target.name}"] = found and {"name": getattr(found, target.name_field)}
    fields |= {name: read(record) for name, read in kind.parts.items()}
    return Document(kind, fields)


def read_folder(folder: Path) -> list[Document]:
    """Return the documents in a folder, each behind those that it points at. Raises DocumentBroken."""
    found: dict[Key, Document] = {}
    for path in sorted(folder.glob("*.*.yaml")):
        document = read_document(path)
        if document.key in found:
            raise DocumentBroken(path, f"a {document.kind.name} {document.name!r} is in another file, too.")
        found[document.key] = document
    needs = {key: set(document.references().values()) & set(found) for key, document in found.items()}
    try:
        return [found[key] for key in TopologicalSorter(needs).static_order()]
    except CycleError as error:
        raise DocumentBroken(folder, f"these point at each other in a circle: {error.args[1]}.") from error


def read_document(path: Path) -> Document:
    """Return the document of one file. Raises DocumentBroken."""
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise DocumentBroken(path, f"not YAML: {error}") from error
    if not isinstance(content, dict) or len(content) != 1:
        raise DocumentBroken(path, "give one type with its fields, for example “flow:”.")
    ((type_name, fields),) = content.items()
    try:
        kind = kind_of(type_name)
    except LookupError:
        raise DocumentBroken(path, f"there is no record type {type_name!r}.") from None
    if not isinstance(fields, dict) or not isinstance(fields.get(kind.name_field), str):
        raise DocumentBroken(path, f"give the fields, with a {kind.name_field}.")
    script = path.with_suffix(".py")
    if script.exists():
        fields["script"] = script.read_text()
    pointers = {f"{field}_id_{target}" for field, target in kind.references.items() if field not in _PLACE}
    allowed = ({*kind.write, *kind.parts} - set(kind.references)) | pointers
    if unknown := sorted(set(fields) - allowed):
        known = ", ".join(sorted(allowed))
        raise DocumentBroken(path, f"a {kind.name} has no field {unknown[0]!r}; there are: {known}.")
    for name in pointers & set(fields):
        if fields[name] is not None and not (
            isinstance(fields[name], dict) and isinstance(fields[name].get("name"), str)
        ):
            raise DocumentBroken(path, f"{name}: give {{name: …}}.")
    return Document(kind, fields)
