"""A folder of bundles to import, and who imports them."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from projects import shipped_bundles
from tests.cast import Cast, make_cast

SCRIPT = "def handler(system, this, inputs):\n    return this.success({!r})\n"
Ship = Callable[..., Path]


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ship:
    """Returns a maker of bundles that ship: files by their names. Shipping again replaces the bundle."""
    monkeypatch.setattr(shipped_bundles, "SHIPPED", tmp_path)

    def make(name: str = "Tools", version: str = "1.0", **files: str | None) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        about = f"name: {name}\nversion: {version!r}\ndescription: Things for tests.\n"
        (folder / "bundle.yaml").write_text(about)
        for stem, text in files.items():
            if text is not None:
                kind, _, rest = stem.partition("_")
                (folder / f"{rest}.{kind}.yaml").write_text(textwrap.dedent(text))
        shipped_bundles._read_all.cache_clear()  # read when it is next asked for
        return folder

    yield make
    shipped_bundles._read_all.cache_clear()


@pytest.fixture
def tools(ship: Ship) -> Path:
    """A bundle of two flows."""
    return ship_tools(ship)


def ship_tools(ship: Ship, version: str = "1.0", word: str = "one", **changed: Any) -> Path:
    """Ship the bundle with the flows “greet” and “count”; `changed` replaces files or leaves them out (None)."""
    files = {
        "flow_greet": "flow:\n  name: greet\n  description: Greets.\n  priority: 3\n",
        "flow_count": "flow:\n  name: count\n  script: |\n    def handler(system, this):\n        return 1\n",
    }
    folder = ship(version=version, **files | changed)
    (folder / "greet.flow.py").write_text(SCRIPT.format(word))
    return folder
