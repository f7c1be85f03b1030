"""What a script names is imported once, by the zygote, and not before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from executions.zygote import Zygote
from flow_api import preloading
from flow_api.preloading import named_in, preload
from tests.flow_process.peer import Process


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("", ()),
        ("def handler(system, this): pass", ()),
        ("import httpx", ("httpx",)),
        ("import json, yaml\nfrom dateutil.parser import parse", ("dateutil", "yaml")),
        ("def handler(system, this):\n    from urllib import parse", ("urllib",)),
        ("import httpxx, my_yaml", ()),
        ("#" * 30_000 + "\nimport httpx", ()),  # it is only a matter of speed
    ],
)
def test_a_script_names_them(script: str, found: tuple[str, ...]) -> None:
    assert named_in(script) == found


def test_what_cannot_be_imported_is_left_out_and_sees_no_folder_of_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_one.py").write_text(
        "import os\nos.environ['SEEN'] = os.environ['HOME']\nraise RuntimeError"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("SEEN", "")
    monkeypatch.setattr(preloading, "_MODULES", {"broken": ("broken_one",), "missing": ("no_such_module",)})
    monkeypatch.setattr(preloading, "_tried", set())
    assert not preload(["broken", "missing", "unknown"])
    assert os.environ["SEEN"] == "/" and "TMPDIR" not in os.environ
    monkeypatch.setenv("SEEN", "")
    assert not preload(["broken"]) and os.environ["SEEN"] == "", "each is tried once"


@pytest.mark.process
def test_they_are_there_from_the_first_script_that_names_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    zygote = Zygote(directory=tmp_path)
    zygote.start()

    def loaded_before(line: str = "") -> set[str]:
        """Run a script with this line; returns the modules that were imported before it."""
        script = (
            f"import sys\nloaded = list(sys.modules)\n{line}\ndef handler(system, this):\n    return loaded"
        )
        told = Process(zygote, script, {}, {}).spawn().finish()
        assert told.end is not None and told.end["status"] == "success", told
        return set(told.end["output"])

    try:
        assert not {"httpx", "yaml"} & loaded_before()
        assert "httpx" in loaded_before("import httpx")
        assert "httpx" in loaded_before() and "yaml" not in loaded_before()
    finally:
        zygote.close()
