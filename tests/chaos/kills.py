"""The kill lottery: processes of ours die by SIGKILL at random moments, and nothing is lost or done twice."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from executions.database import fetch
from executions.models import Execution
from tests.chaos.web import Web
from tests.chaos.world import World, in_words
from tests.executions.cluster import Worker

# The flow process most often: it is the one that dies in real life.
MOST_SECONDS = 600
ROLES = ("flow", "flow", "flow", "host", "host", "zygote", "command", "sentinel", "pusher", "monitor")


@dataclass
class Victim:
    """An execution that a blow took from its process, until it lives again."""

    id: UUID
    attempt: int
    host_id: int
    at: float


@dataclass
class Lottery:
    """One run of the lottery."""

    world: World
    workers: int = 2
    busy: int = 10
    pause: tuple[float, float] = (0.4, 1.6)  # between blows
    web: Web | None = None
    victims: list[Victim] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)

    def run(self, seconds: float, over_rest: int = 0) -> None:
        """Kill for this long (and until so many executions were accepted over REST, and a process of every kind was
        killed), then let everything come to its end and check it."""
        self._have_workers()
        if self.web is None:
            self._kill_for(seconds)
        else:
            with self.web:
                self._kill_for(seconds)
                until = time.monotonic() + MOST_SECONDS
                while len(self.web.keys) < over_rest or {*ROLES, "web"} - set(self.world.blows):
                    assert time.monotonic() < until, f"{len(self.web.keys)} were accepted in {MOST_SECONDS} s"
                    self._kill_for(5)
            self.web.check()
        self._have_workers()
        self.world.settle()
        self._look_for_the_living()
        self._leave_nothing()

    def _kill_for(self, seconds: float) -> None:
        world = self.world
        until = time.monotonic() + seconds
        next_blow = time.monotonic() + 1.0
        while time.monotonic() < until:
            world.keep_busy(self.busy)
            if time.monotonic() >= next_blow:
                self._strike()
                next_blow = time.monotonic() + world.chance.uniform(*self.pause)
            self._look_for_the_living()
            time.sleep(0.02)

    def _have_workers(self) -> None:
        self.world.fleet.have(workers=self.workers, slots=4, SLEEP_MAX_SECONDS="1")

    def _strike(self) -> None:
        chance = self.world.chance
        if self.web is not None and chance.random() < 0.1:
            self.web.kill()
            self.world.blows["web"] += 1
            return
        worker: Worker = chance.choice(self.world.fleet.workers)
        role = chance.choice(ROLES)
        pids = worker.pids(role)
        if not pids:
            return
        pid = chance.choice(sorted(pids))
        if role != "flow":
            self._note_victims(worker)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.world.blows[role] += 1
        if role == "command":
            self.world.fleet.have_again(worker)

    def _note_victims(self, worker: Worker) -> None:
        host = worker.host()
        if host is None:
            return
        held = Execution.objects.filter(host=host, status="RUNNING").values_list("pk", "attempt")
        self.victims += [Victim(key, attempt, host.pk, time.monotonic()) for key, attempt in held]

    def _look_for_the_living(self) -> None:
        """Measure how long each victim took until it ran again, or waited or ended in good order."""
        if not self.victims:
            return
        rows = fetch(
            "SELECT id, attempt, host_id, status FROM executions_execution WHERE id = ANY(%s)",
            ([victim.id for victim in self.victims],),
        )
        now, state = time.monotonic(), {row[0]: row[1:] for row in rows}
        left = []
        for victim in self.victims:
            attempt, host_id, status = state[victim.id]
            lives = (
                status.startswith("ENDED")
                or attempt > victim.attempt
                or (host_id is None and status != "QUEUED")
            )
            if lives:
                self.recoveries.append(now - victim.at)
            else:
                left.append(victim)
        self.victims = left

    def _leave_nothing(self) -> None:
        """All processes of the workers go when these are stopped."""
        workers = list(self.world.fleet.workers)
        self.world.fleet.stop()
        left = [pid for worker in workers for pid in worker.leftovers()]
        assert not left, f"processes are left: {left}"

    def words(self) -> str:
        """Return the figures of this run."""
        blows = ", ".join(f"{role} {count}" for role, count in sorted(self.world.blows.items()))
        kills, roots = sum(self.world.blows.values()), len(self.world.kinds)
        return (
            f"{kills} kills ({blows}); {roots} executions{self._over_rest()} with {self._started()} children;"
            f" running again after the kill: {in_words(self.recoveries)}"
        )

    def _over_rest(self) -> str:
        if self.web is None:
            return ""
        return f" ({len(self.web.keys)} over REST, with {self.web.repeated} requests repeated)"

    def _started(self) -> int:
        roots = list(self.world.kinds)
        return Execution.objects.filter(root_id__in=roots).exclude(pk__in=roots).count()
