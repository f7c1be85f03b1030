"""The promise of forms: what is drawn and sent back reads as the same value; what is wrong is said at its field."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_api.values import LARGEST_INTEGER, LEAST_INTEGER
from records.forms import check_answer, check_form, find_faults, in_words, read, read_answer, render, switch
from records.texts import markdown, read_value, write_yaml

PERSON: dict[str, Any] = {
    "type": "object",
    "required": ["name", "color"],
    "properties": {
        "name": {"type": "string", "label": "Your name", "minLength": 2, "order": 1},
        "age": {"type": "integer", "minimum": 0, "order": 2},
        "ratio": {"type": "number"},
        "agrees": {"element": "toggle", "type": "boolean", "default": True},
        "born": {"type": "string", "format": "date"},
        "at": {"element": "time", "type": "string", "format": "time"},
        "moment": {"type": "string", "format": "date-time"},
        "secret": {"element": "password", "type": "string", "minLength": 8},
        "notes": {"element": "textarea", "type": "string"},
        "color": {"enum": ["red", "green", 3]},
        "size": {"element": "radio", "oneOf": [{"const": "s", "title": "Small"}, {"const": "l", "title": "Large"}]},
        "days": {"type": "array", "items": {"enum": ["mo", "tu", "we"]}},
        "mail": {"type": "string", "format": "email"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key"],
                "properties": {"key": {"type": "string"}, "value": {"type": "number"}, "on": {"type": "boolean"}},
            },
        },
        "place": {"$ref": "#/definitions/place"},
        "login": {
            "oneOf": [
                {
                    "title": "Key",
                    "type": "object",
                    "required": ["kind", "key"],
                    "properties": {"kind": {"const": "key"}, "key": {"type": "string", "minLength": 3}},
                },
                {
                    "title": "Password",
                    "type": "object",
                    "required": ["kind", "user"],
                    "properties": {"kind": {"const": "pw"}, "user": {"type": "string"}},
                },
            ]
        },
        "extra": {"description": "Anything"},
        "a.b?": {"type": "string"},
    },
    "definitions": {
        "place": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "zip": {"type": "string", "pattern": "^[0-9]+$"}},
        }
    },
}  # fmt: skip

FULL: dict[str, Any] = {
    "name": "Ada", "age": 36, "ratio": 0.5, "agrees": False, "born": "1815-12-10", "at": "08:30:00+00:00",
    "moment": "2030-01-31T08:30:00+00:00", "secret": "s3cret-word", "notes": "two\nlines", "color": 3, "size": "l",
    "days": ["mo", "we"], "mail": "ada@example.org", "tags": ["a", "b <c>"],
    "rows": [{"key": "k", "value": 1.5, "on": True}, {"key": "m", "on": False}],
    "place": {"city": "Wien", "zip": "1010"}, "login": {"kind": "pw", "user": "ada"},
    "extra": {"deep": [1, {"x": None}]}, "a.b?": "dots",
}  # fmt: skip


class Fields(HTMLParser):
    """What a browser would send of a form that nobody touched; templates are not part of the form."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sent = QueryDict(mutable=True)
        self.names: list[str] = []
        self.labels: set[str] = set()
        self.ids: list[str] = []
        self._in_template = 0
        self._select = self._area = ""
        self._text = ""
        self._options: list[tuple[str, bool]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        self._in_template += tag == "template"
        if self._in_template:
            return
        if tag == "label" and given.get("for"):
            self.labels.add(given["for"])
        if tag in ("input", "select", "textarea") and given.get("name"):
            self.names.append(given["name"])
            if given.get("id"):
                self.ids.append(given["id"])
        if tag == "input" and given.get("name"):
            if given.get("type") not in ("checkbox", "radio") or "checked" in given:
                self.sent.appendlist(given["name"], given.get("value") or "")
        elif tag == "select":
            self._select, self._options = given["name"], []
        elif tag == "option":
            self._options.append((given.get("value", ""), "selected" in given))
        elif tag == "textarea":
            self._area, self._text = given["name"], ""

    def handle_endtag(self, tag: str) -> None:
        self._in_template -= tag == "template"
        if self._in_template or tag == "template":
            return
        if tag == "select":
            chosen = [value for value, is_selected in self._options if is_selected]
            self.sent.appendlist(self._select, (chosen or [self._options[0][0]])[0])
        elif tag == "textarea":
            self.sent.appendlist(self._area, self._text.removeprefix("\n"))
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self._text += data


def post(**fields: Any) -> QueryDict:
    sent = QueryDict(mutable=True)
    for name, value in fields.items():
        sent.setlist(name.replace("__", "."), value if isinstance(value, list) else [value])
    return sent


@pytest.mark.parametrize("prefix", ["", "inputs."])
def test_a_form_sent_back_untouched_reads_as_its_value(prefix):
    drawn = Fields(render(PERSON, FULL, prefix=prefix))
    assert read(PERSON, drawn.sent, prefix) == (FULL, [])
    assert len(drawn.names) == len(set(drawn.names)) + 3  # radios and checkboxes share names
    assert all(name.startswith(prefix) for name in drawn.names)
    unlabelled = set(drawn.ids) - drawn.labels
    assert {name.rpartition(".")[2].removeprefix("form-") for name in unlabelled} == {
        "agrees",
        "on",
    }  # inside theirs


def test_an_empty_form_gives_its_defaults_and_says_what_is_required():
    value, faults = read(PERSON, Fields(render(PERSON)).sent)
    assert value == {"agrees": True}
    assert {fault.path: fault.rule for fault in faults} == {("name",): "required", ("color",): "required"}
    html = render(PERSON, value, faults)
    assert html.count("Is required.") == 2 and 'aria-invalid="true"' in html


def test_a_value_keeps_its_absences():
    """A stored value without a property is not filled up with the default when it is edited."""
    drawn = Fields(render(PERSON, {"name": "Ada", "color": "red"}))
    assert read(PERSON, drawn.sent)[0] == {"name": "Ada", "color": "red", "agrees": False}


@pytest.mark.parametrize(
    ("field", "sent", "words"),
    [
        ("age", "old", "must be a whole number"),
        ("age", "-1", "must be 0 or more"),
        ("age", "1.5", "must be a whole number"),
        ("ratio", "nan", "must be a number"),
        ("name", "A", "must have 2 or more characters"),
        ("mail", "ada", "must be an email address"),
        ("born", "1815-13-01", "must be a date"),
        ("moment", "tomorrow", "must be a moment"),
        ("at", "25:00", "must be a time"),
        ("color", "7", "must be one of red, green, 3"),
        ("place__zip", "x", "must match the pattern"),
        ("extra", "[1, }", "neither JSON nor YAML"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_kept(field, sent, words):
    value, [fault] = read(PERSON, post(**{"name": "Ada", "color": "0"} | {field: sent}))
    assert words in fault.words and fault.path == tuple(field.split("__"))
    html = render(PERSON, value, [fault])
    assert re.search(f'id="form-{re.escape(".".join(fault.path))}-error"', html)
    assert field == "color" or sent in html


def test_a_secret_is_never_told():
    value, [fault] = read(PERSON, post(name="Ada", color="0", secret="hunter2"))
    assert (
        fault.path == ("secret",) and "hunter2" not in fault.told("inputs") and value["secret"] == "hunter2"
    )


def test_faults_name_path_value_and_rule():
    told = in_words(
        find_faults(PERSON, {"name": 1, "color": "red", "rows": [{"key": "a"}, {"value": "x"}]}), "inputs"
    )
    assert told == [
        "inputs.name: must be a text, not 1 (rule type string)",
        "inputs.rows[1].key: is required (rule required)",
        'inputs.rows[1].value: must be a number, not "x" (rule type number)',
    ]
    long = in_words(find_faults({"properties": {"a": {"type": "null"}}}, {"a": "x" * 5000}), "inputs")
    assert len(long[0]) < 200


def test_the_way_that_is_meant_says_what_is_wrong():
    value = {"name": "Ada", "color": "red", "login": {"kind": "key", "key": "x"}}
    assert [fault.path for fault in find_faults(PERSON, value)] == [("login", "key")]


def test_a_schema_fetches_nothing():
    [fault] = find_faults({"$ref": "http://127.0.0.1:9/schema.json"}, {})
    assert fault.rule == "$ref"


def test_lists_skip_empty_rows_and_keep_the_order():
    sent = post(
        name="Ada", color="0", rows__0__key="", rows__7__key="late", rows__3__key="early", rows__3__value="2"
    )
    value, faults = read(PERSON, sent)
    assert faults == []
    assert value["rows"] == [{"key": "early", "value": 2, "on": False}, {"key": "late", "on": False}]


def test_moments_take_the_zone_of_the_person():
    zone = {"moment?zone": "Europe/Vienna", "at?zone": "Asia/Tokyo"}
    value, faults = read(PERSON, post(name="Ada", color="0", moment="2030-07-01T08:30", at="08:30", **zone))
    assert faults == []
    assert (value["moment"], value["at"]) == ("2030-07-01T08:30:00+02:00", "08:30:00+09:00")
    nowhere = post(name="Ada", color="0", moment="2030-07-01T08:30", **{"moment?zone": "../../etc"})
    assert read(PERSON, nowhere)[0]["moment"] == "2030-07-01T08:30:00+00:00"


def test_the_text_of_a_form_can_be_json_or_yaml():
    raw = {"?as": "raw", "?raw": "name: Ada\ncolor: red\nborn: 1815-12-10\ntags: [a]"}
    assert read(PERSON, post(**raw)) == (
        {"name": "Ada", "color": "red", "born": "1815-12-10", "tags": ["a"]},
        [],
    )
    value, [fault, *_] = read(PERSON, post(**{"?as": "raw", "?raw": "{oops"}))
    assert value == "{oops" and fault.path == () and fault.rule == "syntax"
    assert "{oops" in render(PERSON, value, [fault], raw=True)


def test_a_form_changes_between_fields_and_text_without_loss():
    html = render(PERSON, FULL, prefix="in.", raw=True)
    signed = re.search('data-form-switch="([^"]+)"', html)
    assert signed
    sent = Fields(html).sent
    sent["in.?as"] = "raw"
    text = Fields(switch(sent, signed[1]))
    assert json.loads(text.sent["in.?raw"]) == FULL and text.sent["in.?as"] == "raw"
    back = text.sent.copy()
    back["in.?as"] = "form"
    assert read(PERSON, Fields(switch(back, signed[1])).sent, "in.") == (FULL, [])
    with pytest.raises(signing.BadSignature):
        switch(sent, signed[1][:-2] + "xx")


ASK = {
    "type": "object",
    "required": ["reason", "hint"],
    "properties": {
        "hint": {"element": "markdown", "description": "**Look** at it", "order": 0},
        "reason": {"element": "string", "type": "string", "order": 1},
        "go": {"element": "submit", "type": "boolean", "label": "Go on", "order": 2},
        "stop": {"element": "submit", "type": "boolean", "label": "Stop", "required": [], "order": 3},
    },
}


def test_the_pressed_button_is_part_of_the_answer():
    assert read_answer(ASK, post(reason="fine", go="true")) == (
        {"reason": "fine", "go": True, "stop": False},
        [],
    )
    assert read_answer(ASK, post(reason="", stop="true")) == ({"go": False, "stop": True}, [])
    _, [fault] = read_answer(ASK, post(reason="", go="true"))
    assert (fault.path, fault.rule) == (("reason",), "required")
    _, [fault] = read_answer(ASK, post(reason="fine"))
    assert fault.rule == "submit" and "go, stop" in fault.words
    html = render(ASK, submit="OK")
    assert (
        html.index("<strong>Look</strong>")
        < html.index('name="reason"')
        < html.index('name="go"')
        < html.index('name="stop"')
    )
    assert ">OK<" not in html and ">OK<" in render({"properties": {}}, submit="OK")


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ({"reason": "x", "go": True, "stop": True}, "submit"),
        ({"reason": 1, "go": True}, "type string"),
        ({"reason": "x", "go": True, "resaon": "y"}, "additionalProperties"),
        ("yes", "type object"),
    ],
)
def test_answers_of_programs_are_checked_alike(answer, rule):
    _, [fault] = check_answer(ASK, answer)
    assert fault.rule == rule


def test_a_single_button_need_not_be_named():
    schema = {"properties": {"text": {"type": "string"}, "OK": {"element": "submit", "type": "boolean"}}}
    assert check_answer(schema, {"text": "a"}) == ({"text": "a", "OK": True}, [])


def test_words_of_presentation_may_have_a_prefix():
    schema = {
        "properties": {
            "a": {"type": "string", "form-element": "textarea", "form-label": "First", "label": "no"}
        }
    }
    html = render(schema)
    assert "<textarea" in html and "First" in html and ">no<" not in html


@pytest.mark.parametrize(
    "schema",
    [
        [], {"type": "array"}, {"properties": {"a": {"element": "slider"}}}, {"properties": {"a": {"type": "txt"}}},
        {"properties": {"a": {"required": True}}}, {"properties": {"o": {"properties": {"a": {"label": 1}}}}},
    ],
)  # fmt: skip
def test_what_is_no_form_is_refused(schema):
    with pytest.raises(ValidationError):
        check_form(schema)
    check_form(PERSON)
    check_form(ASK)


def test_a_schema_that_refers_to_itself_is_drawn():
    tree = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#"}}},
    }
    value = {"name": "a", "children": [{"name": "b", "children": [{"name": "c"}]}]}
    assert read(tree, Fields(render(tree, value)).sent) == (value, [])


def test_nothing_typed_becomes_markup():
    evil = '"><script>alert(1)</script>'
    schema = {"properties": {evil: {"type": "string", "description": evil, "label": evil, "example": evil}}}
    assert "<script" not in render(schema, {evil: evil}, raw=True)
    assert read(schema, Fields(render(schema, {evil: evil})).sent) == ({evil: evil}, [])


def test_markdown_does_no_harm():
    html = markdown(
        "# Hi\n\n[a](javascript:alert(1)) <script>x</script> <b onclick=x>b</b> ![i](http://x/y.png)\n\n"
        "[ok](https://example.org) | `code`\n\n|a|\n|-|\n|1|"
    )
    assert "<h1>Hi</h1>" in html and "<td>1</td>" in html and 'href="https://example.org"' in html
    for bad in ('javascript:alert(1)"', "<script", "<b", "<img", "onclick=x>"):
        assert bad not in html


@pytest.mark.parametrize(
    "text", ["a: *x", "a: &x [1]\nb: *x", "[" * 3000, '"\\u0000"', "a: .nan", "a: !!python/name:os.system"]
)
def test_texts_that_are_refused(text):
    with pytest.raises(ValidationError):
        read_value(text)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(LEAST_INTEGER, LARGEST_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")),
    lambda parts: (
        st.lists(parts, max_size=4) | st.dictionaries(st.text("abc: -#'\"\n1", max_size=6), parts, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(_JSON)
def test_what_is_written_in_yaml_is_read_again(value: Any) -> None:
    assert read_value(write_yaml(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        "2030-01-31",
        "yes",
        "1:30",
        "1_000",
        "0x1f",
        "~",
        "",
        " x ",
        "a: b",
        "'",
        '"q"',
        "…",
        "\x85",
        "a\u2028b",
    ],
)
def test_texts_that_look_like_something_else_stay_texts(value: str) -> None:
    assert read_value(write_yaml(value)) == value
