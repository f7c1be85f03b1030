"""Drawing a form: the schema becomes a tree of `Field`s, which templates/forms/ draws.

Knows the grammar and the names of fields; reads and checks nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.core import signing
from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from records.forms.faults import Fault
from records.forms.grammar import (
    Schema,
    choices_of,
    consts_of,
    element_of,
    properties_of,
    required_of,
    resolve,
    type_of,
    variants_of,
    word,
)
from records.forms.naming import AS, RAW, WAY, ZONE, below, element_id
from records.forms.reading import read_fields
from records.texts import markdown, write_value

_SALT = "records.forms"
_BLANK = "ROW"  # stands for the number of a row that a script adds


@dataclass
class Field:
    """One field as it is drawn."""

    element: str
    name: str
    label: str
    help: str = ""
    placeholder: str = ""
    value: Any = None
    is_required: bool = False
    errors: list[str] = field(default_factory=list)
    choices: list[tuple[str, str, bool]] = field(default_factory=list)  # value, words, chosen
    fields: list["Field"] = field(default_factory=list)
    blank: "Field | None" = None  # of a list: the row that is added
    input_type: str = "text"
    rules: dict[str, Any] = field(default_factory=dict)  # attributes of the input
    text: SafeString | None = None
    is_hidden: bool = False  # a way that was not chosen

    @property
    def id(self) -> str:
        return element_id(self.name)

    @property
    def described_by(self) -> str:
        parts = [f"{self.id}-help"] if self.help else []
        return " ".join([*parts, f"{self.id}-error"] if self.errors else parts)

    @property
    def is_chosen(self) -> bool:
        return any(chosen for _, _, chosen in self.choices)

    @property
    def zone_name(self) -> str:
        return self.name + ZONE

    @property
    def way_name(self) -> str:
        return self.name + WAY


def render(
    schema: Schema,
    value: Any = None,
    faults: Iterable[Fault] = (),
    prefix: str = "",
    *,
    submit: str | None = None,
    raw: bool = False,
    shows_raw: bool = False,
) -> SafeString:
    """Return the fields of `schema` as HTML, filled with `value` (its defaults when None) and with their faults.

    `submit` adds the schema's own buttons, or one with these words when it has none. `raw` lets people change between
    the fields and the value's text (JSON or YAML); `shows_raw` begins with the text.
    """
    drawer = _Drawer(schema, list(faults))
    is_text = shows_raw and raw
    fields = drawer.fields(schema, value if isinstance(value, dict) else None, prefix, (), 0, value is None)
    context: dict[str, Any] = {
        "fields": [each for each in fields if each.element != "submit"],
        "buttons": [each for each in fields if each.element == "submit"] if submit else [],
        "submit": submit,
        "errors": drawer.left_over(),
    }
    if raw:
        shown = _starting(schema) if value is None else value
        context |= {
            "has_raw": True,
            "is_raw": is_text or isinstance(value, str) or not fields,
            "has_fields": bool(fields),
            "as_name": prefix + AS,
            "raw_name": prefix + RAW,
            "raw_id": element_id(prefix + RAW),
            "raw": shown if isinstance(shown, str) else write_value(shown),
            "signed": signing.dumps({"schema": schema, "prefix": prefix}, salt=_SALT, compress=True),
        }
    return render_to_string("forms/form.html", context)


def render_answer(schema: Schema, answer: Any = None) -> SafeString:
    """Return the texts of a form and, if there is one, the answer to it, to be read only."""
    given = answer if isinstance(answer, dict) else {}
    shown: list[Field] = []
    for key, each in properties_of(schema, schema):
        element = element_of(each, schema)
        drawn = Field(element, key, str(word(each, "label") or each.get("title") or key))
        if element == "markdown":
            drawn.text = markdown(_text_of(each))
        elif key not in given or (element == "submit" and given[key] is not True):
            continue
        else:
            drawn.value = _SECRET if element == "password" else _readable(given[key], each)
        shown.append(drawn)
    return render_to_string("forms/answer.html", {"fields": shown})


_SECRET = "•••"


def _readable(value: Any, schema: Schema) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    for choice, words in choices_of(schema):
        if choice == value:
            return words
    return value if isinstance(value, str) else write_value(value)


def _text_of(schema: Schema) -> str:
    return str(schema.get("description") or word(schema, "example") or "")


def switch(post: QueryDict, signed: str) -> SafeString:
    """Return a form again, as it was sent, in its other way: text instead of fields, or fields instead of text.

    Raises signing.BadSignature when the form is none of ours.
    """
    given = signing.loads(signed, salt=_SALT)
    schema, prefix = given["schema"], given["prefix"]
    wants_raw = post.get(prefix + AS) == "raw"
    sent = post.copy()
    sent[prefix + AS] = "form" if wants_raw else "raw"  # what was on show until now
    value, faults = read_fields(schema, sent, prefix)
    return render(schema, value, faults, prefix, raw=True, shows_raw=wants_raw or bool(faults))


def _starting(schema: Schema) -> dict[str, Any]:
    """Return the defaults of a schema as a value to begin with."""
    return {key: each["default"] for key, each in properties_of(schema, schema) if "default" in each}


class _Drawer:
    def __init__(self, root: Schema, faults: list[Fault]) -> None:
        self.root, self.faults = root, faults
        self.placed: set[tuple[Any, ...]] = set()

    def left_over(self) -> list[str]:
        """Return the faults that belong to no field."""
        return [
            _sentence(fault.words, " ".join(map(str, fault.path)))
            for fault in self.faults
            if fault.path not in self.placed
        ]

    def errors(self, path: tuple[Any, ...]) -> list[str]:
        self.placed.add(path)
        return [_sentence(fault.words) for fault in self.faults if fault.path == path]

    def fields(
        self, schema: Schema, value: Any, name: str, path: tuple[Any, ...], depth: int, is_new: bool
    ) -> list[Field]:
        """Return the fields of an object. `is_new`: there is no value yet, defaults take its place."""
        required, hidden = required_of(schema), dict(consts_of(schema, self.root))
        given = value if isinstance(value, dict) else {}
        return [
            self.field(
                each,
                given.get(key, each.get("default") if is_new else None),
                below(name, key),
                (*path, key),
                depth + 1,
                label=key,
                is_new=is_new or (key not in given and key in required),
                is_required=key in required,
            )
            for key, each in properties_of(schema, self.root)
            if key not in hidden
        ]

    def field(
        self,
        schema: Schema,
        value: Any,
        name: str,
        path: tuple[Any, ...],
        depth: int,
        *,
        label: str = "",
        is_new: bool = False,
        is_required: bool = False,
    ) -> Field:
        element = element_of(schema, self.root, depth)
        help_text = word(schema, "help") or schema.get("description") or ""
        drawn = Field(
            element,
            name,
            str(word(schema, "label") or schema.get("title") or label),
            help=str(help_text),
            placeholder=_example(schema),
            is_required=is_required,
            errors=self.errors(path),
        )
        match element:
            case "markdown":
                drawn.text = markdown(_text_of(schema))
            case "object":
                drawn.fields = self.fields(schema, value, name, path, depth, is_new)
            case "variants":
                self._variants(drawn, schema, value, path, depth, is_new)
            case "array":
                self._rows(drawn, schema, value, path, depth)
            case "toggle":
                drawn.value = value is True
            case "select" | "radio":
                drawn.choices = _choices(schema, [value])
            case "checkboxes":
                chosen = value if isinstance(value, list) else []
                drawn.choices = _choices(resolve(schema["items"], self.root), chosen)
            case "submit":
                drawn.value = word(schema, "label") or schema.get("title") or label
            case _:
                self._input(drawn, schema, value)
        return drawn

    def _variants(
        self, drawn: Field, schema: Schema, value: Any, path: tuple[Any, ...], depth: int, is_new: bool
    ) -> None:
        ways = variants_of(schema, self.root)
        chosen = _way_of(value, ways, self.root)
        if chosen is None and drawn.is_required:
            chosen = 0
        for number, way in enumerate(ways):
            is_chosen = number == chosen
            label = str(
                way.get("title") or word(way, "label") or _name_of(way, self.root) or f"way {number + 1}"
            )
            part = Field("object", below(drawn.way_name, number), label, str(way.get("description") or ""))
            part.is_hidden = not is_chosen
            given = value if is_chosen else None
            part.fields = self.fields(way, given, part.name, path, depth, is_new or not is_chosen)
            drawn.fields.append(part)
            drawn.choices.append((str(number), label, is_chosen))

    def _rows(self, drawn: Field, schema: Schema, value: Any, path: tuple[Any, ...], depth: int) -> None:
        items = resolve(schema["items"], self.root)
        rows = value if isinstance(value, list) else []
        # One empty row at the end, so that a list can grow without scripts.
        for number, row in enumerate([*rows, None]):
            made = self.field(
                items, row, below(drawn.name, number), (*path, number), depth + 1, is_new=row is None
            )
            made.label = made.label or f"{drawn.label} {number + 1}"
            drawn.fields.append(made)
        drawn.blank = self.field(
            items, None, below(drawn.name, _BLANK), (*path, _BLANK), depth + 1, is_new=True
        )
        drawn.blank.label = drawn.blank.label or drawn.label

    def _input(self, drawn: Field, schema: Schema, value: Any) -> None:
        drawn.value = "" if value is None else value if isinstance(value, str) else write_value(value)
        drawn.input_type = {
            "number": "text", "password": "password", "date": "date", "time": "time", "date-time": "datetime-local",
        }.get(drawn.element, _INPUT_TYPES.get(str(schema.get("format")), "text"))  # fmt: skip
        if drawn.element in ("date-time", "time") and drawn.value:
            drawn.rules["data-value"] = drawn.value
            drawn.value = _in_utc(drawn.element, drawn.value)
        if drawn.element == "number":
            drawn.rules["inputmode"] = "numeric" if type_of(schema) == "integer" else "decimal"
        if drawn.element == "password":
            drawn.rules["autocomplete"] = "new-password"
        if drawn.element in ("date-time", "time"):
            drawn.rules["step"] = 1
        longest = schema.get("maxLength")
        if isinstance(longest, int) and drawn.element in ("string", "textarea", "password"):
            drawn.rules["maxlength"] = longest


_INPUT_TYPES = {"email": "email", "uri": "url"}


def _sentence(words: str, subject: str = "") -> str:
    text = f"{subject} {words}".strip()
    return f"{text[:1].upper()}{text[1:]}."


def _example(schema: Schema) -> str:
    example = word(schema, "placeholder", word(schema, "example"))
    if example is None and isinstance(schema.get("examples"), list) and schema["examples"]:
        example = schema["examples"][0]
    return "" if example is None else example if isinstance(example, str) else write_value(example)


def _choices(schema: Schema, chosen: list[Any]) -> list[tuple[str, str, bool]]:
    return [
        (str(number), words, any(value == each and type(value) is type(each) for each in chosen))
        for number, (value, words) in enumerate(choices_of(schema))
    ]


def _way_of(value: Any, ways: list[Schema], root: Schema) -> int | None:
    """Return the number of the way that a value is given in: its constants tell, else its fields."""
    if not isinstance(value, dict):
        return None
    fitting = [
        number
        for number, way in enumerate(ways)
        if all(value.get(key) == const for key, const in consts_of(way, root))
        and set(required_of(way)) <= set(value)
    ]
    by_const = [
        number
        for number, way in enumerate(ways)
        if (consts := dict(consts_of(way, root)))
        and all(value.get(key) == each for key, each in consts.items())
    ]
    return next(iter([*by_const, *fitting]), None)


def _name_of(way: Schema, root: Schema) -> str:
    return ", ".join(str(const) for _, const in consts_of(way, root))


def _in_utc(element: str, value: str) -> str:
    """Return a moment as its input shows it without scripts: in UTC. A time of day stays as it is."""
    if element == "time":
        return value[:8]
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return (moment.astimezone(UTC) if moment.tzinfo else moment).strftime("%Y-%m-%dT%H:%M:%S")
