"""What every trial of chaos works in: the workers, the cast, a seeded chance, and what was started so far."""

import time
from collections import Counter
from random import Random
from uuid import UUID, uuid4

from django.db import InterfaceError, OperationalError, connection

from executions.models import Execution
from executions.starting import Start, start_execution
from tests.chaos.flows import KINDS, Kind
from tests.executions.cluster import Fleet
from tests.executions.stage import NeverHappened, Stage, wait_until
from tests.invariants import check_invariants


class World:
    """Starts mixed flows and checks them. `patience` is how long the last of them may take after the last blow."""

    def __init__(self, stage: Stage, fleet: Fleet, seed: int, patience: float = 90.0) -> None:
        self.stage, self.fleet, self.seed, self.patience = stage, fleet, seed, patience
        self.chance = Random(seed)
        self.kinds: dict[UUID, Kind] = {}
        self.blows: Counter[str] = Counter()
        self.refused = 0  # submissions that were answered with an error, and sent again

    def submit(self) -> UUID:
        """Start one of the mixed flows, as a client does that repeats a request which was not answered."""
        kind = self.chance.choice(KINDS)
        inputs = kind.inputs(self.chance)
        key = f"chaos {uuid4()}"
        start = Start(
            script=kind.script,
            inputs=inputs,
            name=kind.name,
            project=self.stage.cast.workshop,
            idempotency_key=key,
            idempotency_digest=key,
        )
        while True:
            try:
                made, _ = start_execution(start, by=self.stage.cast.root, origin=Execution.Origin.COMMAND)
                break
            except (InterfaceError, OperationalError):  # the database is away; anything else is a fault
                self.refused += 1
                connection.close()
                time.sleep(0.1)
        self.kinds[made.pk] = kind
        self.stage.ids.append(made.pk)
        return made.pk

    def alive(self) -> int:
        return Execution.objects.filter(pk__in=list(self.kinds), ended_at=None).count()

    def keep_busy(self, most: int) -> None:
        """Start flows until this many are alive."""
        for _ in range(most - self.alive()):
            self.submit()

    def settle(self) -> None:
        """Wait for the end of everything and check each flow and every invariant."""
        self.wait_for_the_end(list(self.kinds))
        for execution in Execution.objects.filter(pk__in=list(self.kinds)):
            kind = self.kinds[execution.pk]
            try:
                kind.check(execution)
            except AssertionError as error:
                raise AssertionError(f"{kind.name} {execution.pk} (seed {self.seed}): {error}") from error
        assert Execution.objects.filter(pk__in=list(self.kinds)).count() == len(self.kinds)
        wait_until(self._is_quiet, "what was started by the flows ended too", self.patience)
        check_invariants(self.stage.ids)

    def wait_for_the_end(self, ids: list[UUID]) -> None:
        """Wait until all of these have ended; say what has not."""
        alive = Execution.objects.filter(pk__in=ids, ended_at=None)
        try:
            wait_until(lambda: not alive.exists(), seconds=self.patience)
        except NeverHappened:
            left = list(alive.values_list("pk", "status", "host", "attempt", "ready_at", "waiting_for")[:10])
            raise NeverHappened(f"{alive.count()} have not ended (seed {self.seed}): {left}") from None

    def _is_quiet(self) -> bool:
        return not Execution.objects.filter(root_id__in=list(self.kinds), ended_at=None).exists()


def share(values: list[float], part: float) -> float:
    """Return the value below which this part of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def in_words(seconds: list[float]) -> str:
    """Return the usual figures of some durations."""
    if not seconds:
        return "none"
    middle, most = share(seconds, 0.5), share(seconds, 0.95)
    return f"n {len(seconds)}, p50 {middle:.2f} s, p95 {most:.2f} s, max {max(seconds):.2f} s"
