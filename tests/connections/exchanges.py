"""Carries connections out in the test's own process, as a worker's connection thread does: for the types themselves."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from connectors.operations import Stored, make_ready
from connectors.outgoing import DEFAULT_DENY, Policy, rules
from connectors.types.base import Context, Result


@dataclass
class Exchange:
    """What a connection needs besides its inputs, and what it told."""

    deny: tuple[str, ...] = DEFAULT_DENY
    allow: tuple[str, ...] = ()
    lines: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)

    def run(
        self,
        type_name: str,
        value: dict[str, Any] | None = None,
        secrets: dict[str, Any] | None = None,
        **inputs: Any,
    ) -> Result:
        """Carry a connection out: with a connector of this value and these secrets, and inputs of its own."""
        stored = Stored("stored", value or {}, secrets or {}) if value or secrets else None
        ready = make_ready(type_name, stored, inputs, {})
        policy = Policy(rules(self.deny), rules(self.allow))
        context = Context(
            lambda text, level="info": self.lines.append(text), policy.addresses, self.secrets.append
        )
        return asyncio.run(ready.kind.run(ready.inputs, context))

    def rest(self, **inputs: Any) -> dict[str, Any]:
        return self.run("REST", **inputs).output

    def sql(self, **inputs: Any) -> Any:
        return self.run("SQLPG", **inputs).output["result"]
