"""What must not be kept: values of fields that are shown as passwords, wherever in a value they are."""

from typing import Any

from records.forms.grammar import Schema, consts_of, element_of, properties_of, resolve, variants_of


def forget_secrets(schema: Schema, value: Any, root: Schema | None = None, depth: int = 0) -> Any:
    """Return the value without its secrets."""
    root = schema if root is None else root
    if isinstance(value, list):
        items = resolve(schema.get("items"), root)
        return [forget_secrets(items, each, root, depth + 1) for each in value]
    if not isinstance(value, dict):
        return value
    fields = dict(properties_of(schema, root))
    for way in variants_of(schema, root):
        if all(value.get(key) == const for key, const in consts_of(way, root)):
            fields |= dict(properties_of(way, root))
    return {
        key: forget_secrets(fields[key], each, root, depth + 1) if key in fields else each
        for key, each in value.items()
        if key not in fields or element_of(fields[key], root, depth) != "password"
    }
