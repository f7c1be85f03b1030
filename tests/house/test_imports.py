"""Imports point one way, and run in no circle: the picture of CONTRIBUTING.md, read from the code."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Each may import those before it, and itself.
ORDER = [
    "records", "access", "projects", "flows", "connectors", "executions", "inbox", "schedules", "webhooks",
    "engine_site",
]  # fmt: skip
OURS = [*(app for app in ORDER if (ROOT / app).is_dir()), "flow_api"]


def modules_of(app: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / app).rglob("*.py")):
        # Demo and bundles hold texts of flows, no modules.
        if {"migrations", "demo", "shipped"} & set(path.parts):
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported_by(tree: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    """Yield what the statements of `tree` import, relative names made whole."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".")
                package = package[: len(package) - node.level + is_package]
                base = ".".join([*package, base] if base else package)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def all_imports(app: str) -> Iterator[tuple[str, str]]:
    for module, path in modules_of(app):
        tree = ast.parse(path.read_text(), str(path))
        for name in imported_by(tree, module, path.name == "__init__.py"):
            yield module, name


def wrong_arrows(app: str) -> list[str]:
    """Return each import of `app` that runs against the order, as 'module -> name'."""
    if app == "flow_api":
        allowed = {"flow_api", *sys.stdlib_module_names}
        return [
            f"{module} -> {name}" for module, name in all_imports(app) if name.split(".")[0] not in allowed
        ]
    allowed = set(ORDER[: ORDER.index(app) + 1]) | ({"flow_api"} if app == "executions" else set())
    return [
        f"{module} -> {name}"
        for module, name in all_imports(app)
        if name.split(".")[0] in OURS and name.split(".")[0] not in allowed
    ]


@pytest.mark.parametrize("app", OURS)
def test_imports_point_one_way(app: str) -> None:
    assert list(modules_of(app)), f"{app} has no module: has it moved?"
    assert wrong_arrows(app) == []


def at_load(tree: ast.Module) -> ast.Module:
    """Return the tree with only what runs while the module is loaded."""

    class Prune(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if "TYPE_CHECKING" in ast.unparse(node.test) else self.generic_visit(node)

    pruned = Prune().visit(tree)
    assert isinstance(pruned, ast.Module)
    return pruned


def load_graph() -> dict[str, set[str]]:
    paths = {module: path for app in OURS for module, path in modules_of(app)}
    graph: dict[str, set[str]] = {}
    for module, path in paths.items():
        tree = at_load(ast.parse(path.read_text(), str(path)))
        names = set(imported_by(tree, module, path.name == "__init__.py"))
        found = {name if name in paths else name.rpartition(".")[0] for name in names}
        graph[module] = {name for name in found if name in paths and name != module}
    return graph


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of one circle, empty when there is none."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for after in sorted(graph[module]):
            if cycle := walk(after, [*path, module]):
                return cycle
        done.add(module)
        return []

    for module in sorted(graph):
        if cycle := walk(module, []):
            return cycle
    return []


def test_no_module_waits_for_itself_to_load() -> None:
    assert find_cycle(load_graph()) == []


def test_a_circle_is_found() -> None:
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_a_wrong_arrow_is_found() -> None:
    tree = ast.parse("def late():\n    from executions import models\n")
    assert list(imported_by(tree, "records.paging", False)) == ["executions.models"]
    tree = ast.parse("from ..flows import models\nfrom . import filters\n")
    assert list(imported_by(tree, "records.paging", False)) == ["flows.models", "records.filters"]
