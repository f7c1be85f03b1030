"""Which secrets are masked in what an execution shows: those that were used anywhere in its tree.

The host holds one masker per tree; every log line, message and output of its executions passes through it. What was
used is written down before it is used, so that whoever takes up an execution of the tree later masks it, too.
"""

import logging
from collections.abc import Iterable
from uuid import UUID

from connectors.masking import Masker
from connectors.merging import texts_of
from connectors.models import Connector
from connectors.sealing import CannotOpen
from executions.announce import announce_secret_use
from executions.assignments import Assignment
from executions.database import fetch

logger = logging.getLogger("engine.host")

_NOTE_USE = """
INSERT INTO connectors_secretuse (root_id, connector_id) SELECT * FROM unnest(%s::uuid[], %s::uuid[])
ON CONFLICT DO NOTHING RETURNING root_id
"""


class Masks:
    """The maskers of the trees that a host has executions of."""

    def __init__(self) -> None:
        self._maskers: dict[UUID, Masker] = {}
        self._loaded: set[tuple[UUID, UUID]] = set()

    def of(self, root_id: UUID) -> Masker:
        """Return the masker of a tree. Who holds it sees what it learns later."""
        return self._maskers.setdefault(root_id, Masker())

    def load(self, given: Iterable[Assignment]) -> None:
        """Learn what was used before in the trees of these executions."""
        self._learn({(each.root_id, key) for each in given for key in each.secrets_used})

    def hear(self, root_id: UUID) -> None:
        """Learn what another host has begun to use in a tree, if we have executions of it."""
        if root_id in self._maskers:
            rows = fetch("SELECT connector_id FROM connectors_secretuse WHERE root_id = %s", (root_id,))
            self._learn({(root_id, row[0]) for row in rows})

    def keep(self, root_ids: set[UUID]) -> None:
        """Forget all trees but these."""
        self._maskers = {key: masker for key, masker in self._maskers.items() if key in root_ids}
        self._loaded = {pair for pair in self._loaded if pair[0] in root_ids}

    def _learn(self, uses: set[tuple[UUID, UUID]]) -> None:
        uses -= self._loaded
        if not uses:
            return
        self._loaded |= uses
        connectors = Connector.objects.in_bulk({connector_id for _, connector_id in uses})
        for root_id, connector_id in uses:
            try:
                if connector := connectors.get(connector_id):
                    self.of(root_id).learn(texts_of(connector.open_secrets()))
            except CannotOpen:
                logger.warning("the secrets of connector %s cannot be opened to mask them", connector_id)


_FORGET = """
DELETE FROM connectors_secretuse WHERE id = ANY(ARRAY(
    SELECT id FROM connectors_secretuse u
    WHERE NOT EXISTS (SELECT 1 FROM executions_execution e WHERE e.root_id = u.root_id) LIMIT %s
)) RETURNING 1
"""


def forget_uses(most: int = 1_000) -> int:
    """Forget what was used in trees of which no execution is left, up to `most`; returns how many."""
    return len(fetch(_FORGET, (most,)))


def note_use(uses: list[tuple[UUID, UUID]]) -> None:
    """Write down that connectors' secrets are about to be used in trees: (root, connector)."""
    if uses:
        new = fetch(_NOTE_USE, ([root for root, _ in uses], [connector for _, connector in uses]))
        announce_secret_use({row[0] for row in new})
