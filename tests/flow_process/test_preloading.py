"""What a script names is imported once, by the zygote, and not before."""

from __future__ import annotations

from pathlib import Path

import pytest

from executions.zygote import Zygote
from flow_api.preloading import named_in
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
