"""The static check of scripts: what is a handler, and where the problem stands."""

import pytest

from flows.checks import check_script
from flows.operations import BOILERPLATE

FINE = {
    "the boilerplate": BOILERPLATE,
    "three": "def handler(system, this, inputs): pass",
    "two": "def handler(system, this): pass",
    "a default": "def handler(system, this, inputs=None): pass",
    "a fourth with a default": "def handler(system, this, inputs, extra=1): pass",
    "all with stars": "def handler(*arguments): pass",
    "positional only": "def handler(system, this, inputs, /): pass",
    "a keyword with a default": "def handler(system, this, *, debug=False): pass",
    "assigned": "handler = lambda system, this: None",
    "imported": "from flow_script_library import handler",
    "imported under this name": "from somewhere import main as handler",
    "under a condition": "if True:\n    def handler(system, this): pass",
    "the last of two": "def other(): pass\ndef handler(system, this): pass",
}
WRONG = {
    "empty": ("", 1, 0, "needs a function handler"),
    "only a comment": ("# later", 1, 0, "needs a function handler"),
    "one parameter": ("def handler(c): pass", 1, 0, "takes 1 positional parameter"),
    "none": ("x = 1\ndef handler(): pass", 2, 0, "takes 0 positional parameters"),
    "four": ("def handler(a, b, c, d): pass", 1, 0, "takes 4"),
    "a required keyword": ("def handler(system, this, *, key): pass", 1, 0, "must take"),
    "async": ("async def handler(system, this): pass", 1, 0, "not async"),
    "in a class": ("class A:\n    def handler(self, system): pass", 1, 0, "needs a function"),
    "syntax": ("def handler(system, this):\n    return (1,\n", 2, 11, "never closed"),
    "indentation": ("def handler(system, this):\nreturn 1", 2, 0, "indented block"),
    "a null byte": ("x = 1\0", 1, 0, "null"),
}


@pytest.mark.parametrize("text", FINE.values(), ids=FINE.keys())
def test_scripts_that_can_run(text: str) -> None:
    assert check_script(text) == []


@pytest.mark.parametrize(("text", "line", "column", "words"), WRONG.values(), ids=WRONG.keys())
def test_scripts_that_cannot(text: str, line: int, column: int, words: str) -> None:
    (problem,) = check_script(text)
    assert (problem.line, problem.column) == (line, column)
    assert words in problem.message and problem.severity == "error"


def test_a_script_nested_beyond_reason_is_a_problem_not_a_crash() -> None:
    (problem,) = check_script("(" * 5000 + ")" * 5000)
    assert problem.line == 1
