"""Static checks of scripts: syntax and the shape of `handler`. Pure: no database, nothing is executed."""

import ast
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """Something wrong in a script. `line` counts from 1, `column` from 0 (as the ast module does)."""

    message: str
    line: int
    column: int
    severity: str = "error"

    def snapshot(self) -> dict[str, Any]:
        return asdict(self)


def check_script(text: str) -> list[Problem]:
    """Return the problems of a flow script, empty when it can run."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return [Problem(error.msg or "invalid syntax", error.lineno or 1, max((error.offset or 1) - 1, 0))]
    except ValueError as error:  # null bytes
        return [Problem(str(error), 1, 0)]
    except (RecursionError, MemoryError):
        return [Problem("the script is nested too deeply to be read", 1, 0)]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "handler":
            return _check_handler(node)
        if isinstance(node, ast.AsyncFunctionDef) and node.name == "handler":
            return [Problem("handler must be a plain function, not async", node.lineno, node.col_offset)]
    if _binds_handler(tree):
        return []
    return [Problem("the script needs a function handler(system, this, inputs)", 1, 0)]


def _check_handler(node: ast.FunctionDef) -> list[Problem]:
    arguments = node.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    accepts = arguments.vararg is not None or positional in (2, 3) or (required <= 3 <= positional)
    if accepts and required <= 3 and not _required_keywords(arguments):
        return []
    return [
        Problem(
            "handler must take (system, this, inputs) or (system, this), "
            f"this one takes {positional} positional parameter{'s' if positional != 1 else ''}",
            node.lineno,
            node.col_offset,
        )
    ]


def _required_keywords(arguments: ast.arguments) -> bool:
    return any(default is None for default in arguments.kw_defaults)


def _binds_handler(tree: ast.Module) -> bool:
    """Tell whether `handler` comes into being in another way (assigned, imported, inside an if)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "handler" and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.alias) and (node.asname or node.name) == "handler":
            return True
        if isinstance(node, ast.If | ast.Try) and any(
            isinstance(child, ast.FunctionDef) and child.name == "handler" for child in ast.walk(node)
        ):
            return True
    return False
