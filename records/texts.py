"""Values as people type them, in JSON or YAML; and texts that people write, in Markdown, as harmless HTML.

Doors and forms call it. JSON is tried first, so that what is JSON means exactly what JSON says.
"""

import json
from typing import Any

import nh3
import yaml
from django.core.exceptions import ValidationError
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from rest_framework.exceptions import ParseError

from records.json_text import MAX_DEPTH, parse_json

LARGEST_YAML = 200_000  # characters; JSON is read a hundred times faster


class _Loader(yaml.SafeLoader):
    """YAML that means JSON: dates stay text, and no alias may blow a short text up."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read here")
        if self.depth > MAX_DEPTH:
            raise yaml.YAMLError(f"it is nested more than {MAX_DEPTH} levels deep")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_value(text: str) -> Any:
    """Return the value of a JSON or YAML text. Raises ValidationError saying where it is wrong."""
    try:
        return parse_json(text)
    except ParseError as error:
        if len(text) > LARGEST_YAML:
            words = f"This is not JSON, and YAML is read up to {LARGEST_YAML:,} characters."
            raise ValidationError(words) from error
    try:
        value = yaml.load(text, Loader=_Loader)
        return parse_json(json.dumps(value, allow_nan=False))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ValidationError(f"This is neither JSON nor YAML: {error.problem}{where}.") from error
    except yaml.YAMLError as error:
        raise ValidationError(f"This is neither JSON nor YAML: {error}.") from error
    except ParseError as error:
        raise ValidationError(str(error.detail)) from error
    except (TypeError, ValueError) as error:
        raise ValidationError(f"This has no form in JSON: {error}.") from error


def write_value(value: Any) -> str:
    """Return a value as the JSON text that people edit."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def write_yaml(value: Any) -> str:
    """Return a value as the YAML text that people edit; `read_value` reads it back."""
    text = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=True, width=110)
    return text.removesuffix("...\n")  # marks the end of a value that stands alone


class _Dumper(yaml.SafeDumper):
    """YAML without aliases, which are not read here."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # Unquoted, these would be read back as spaces.
        style = '"' if {"\x85", "\u2028", "\u2029"}.intersection(data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _Dumper.represent_str)


_MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre",
    "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


def markdown(text: str) -> SafeString:
    """Return Markdown as HTML that can do no harm: no raw HTML, no scripts, no images from elsewhere."""
    html = nh3.clean(
        _MARKDOWN.render(text),
        tags=_TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
    )
    return mark_safe(html)
