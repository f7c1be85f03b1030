"""One zygote for all tests of the folder: each also shows that the tests before it left it healthy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from executions.zygote import Zygote
from tests.flow_process.peer import Answer, Process, Told

Run = Callable[..., Told]


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """A running zygote."""
    zygote = Zygote()
    zygote.start()
    yield zygote
    zygote.close()


@pytest.fixture
def process(zygote: Zygote) -> Iterator[Callable[..., Process]]:
    """Starts a flow process to be driven by hand: `process(script, answers, inputs=…)`."""
    made: list[Process] = []

    def start(
        script: str,
        answers: dict[str, Answer] | None = None,
        limits: dict[str, int | None] | None = None,
        **begin: Any,
    ) -> Process:
        made.append(Process(zygote, script, answers or {}, begin))
        return made[-1].spawn(**limits or {})

    yield start
    for each in made:
        if each.told.exited is None:  # its test failed: the next one must not find it
            zygote.signal(each.key, 9)


@pytest.fixture
def run(process: Callable[..., Process]) -> Run:
    """Runs a script to its end and returns all that it said."""

    def run_to_end(script: str, answers: dict[str, Answer] | None = None, **options: Any) -> Told:
        return process(script, answers, **options).finish()

    return run_to_end


@pytest.fixture
def handler(run: Run) -> Run:
    """Runs the body of a handler to its end."""

    def run_handler(body: str, answers: dict[str, Answer] | None = None, **options: Any) -> Told:
        lines = "\n".join(f"    {line}" for line in _dedent(body).splitlines())
        return run(f"import flow_api\ndef handler(system, this, inputs):\n{lines}\n", answers, **options)

    return run_handler


def _dedent(body: str) -> str:
    import textwrap

    return textwrap.dedent(body).strip("\n")
