"""A running worker takes up a changed configuration within seconds, without a restart."""

from typing import Any

import pytest

from records import configuration
from tests.executions.stage import Stage, wait_until

pytestmark = pytest.mark.process


def test_a_worker_takes_up_a_change(play: Stage) -> None:
    def name() -> Any:
        return play.run("this.set_output(name=system.get_env_name())").output_value["name"]

    assert name() == "development"
    configuration.store("ENGINE_ENV_NAME", "staging", by=play.cast.root)
    try:
        wait_until(lambda: name() == "staging", "the worker heard of the change", 20)
    finally:
        configuration.reset("ENGINE_ENV_NAME", by=play.cast.root)
    wait_until(lambda: name() == "development", "the worker heard that it was taken back", 20)
