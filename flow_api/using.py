"""`this.using(wrapper, **inputs)`: starts executions through wrappers. It only adds them to the start's fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from flow_api.values import to_json

if TYPE_CHECKING:
    from flow_api.execution import Execution


class Using:
    """The wrappers named so far, the outermost first, and the ways to start something through them."""

    def __init__(self, this: Execution, wrappers: list[dict[str, Any]]) -> None:
        self._this = this
        self._wrappers = wrappers

    def using(self, wrapper: object, /, **inputs: Any) -> Self:
        """Will return the same with one more wrapper, inside of those before it."""
        named = {"name": to_json(wrapper, "wrapper"), "inputs": to_json(inputs, f"{wrapper}")}
        return type(self)(self._this, [*self._wrappers, named])

    def flow(self, select: object, inputs: Any = None, name: str | None = None, **keywords: Any) -> Execution:
        """Will start a flow as `this.flow` does, through the wrappers."""
        return self._this.flow(select, inputs, name, **self._added(keywords))

    def script(self, script: str, inputs: Any = None, name: str | None = None, **keywords: Any) -> Execution:
        """Will start a script as `this.script` does, through the wrappers."""
        return self._this.script(script, inputs, name, **self._added(keywords))

    def connect(self, connector_name: object = None, name: str | None = None, **keywords: Any) -> Execution:
        """Will make a connection as `this.connect` does, through the wrappers."""
        return self._this.connect(connector_name, name, **self._added(keywords))

    def _added(self, keywords: dict[str, Any]) -> dict[str, Any]:
        return {**keywords, "init": {**(keywords.get("init") or {}), "wrappers": self._wrappers}}
