"""Killing what runs an execution, with real signals, and waiting for the places where a kill hurts."""

import os
import signal
from contextlib import suppress

import psutil

from executions.models import Execution, Savepoint
from tests.executions.cluster import Fleet, Worker
from tests.executions.stage import wait_until


class Strikes:
    """Finds the worker that holds an execution and signals one of its processes."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def worker_of(self, execution: Execution) -> Worker:
        """Return the worker whose host holds this execution now."""
        return wait_until(lambda: self._find(execution), f"{execution} was held by a worker")

    def _find(self, execution: Execution) -> Worker | None:
        held = Execution.objects.values_list("host__pid", flat=True).get(pk=execution.pk)
        for worker in self.fleet.workers:
            if held is not None and held in [each.pid for each in worker.tree()]:
                return worker
        return None

    def kill(self, execution: Execution, role: str, signum: int = signal.SIGKILL) -> None:
        """Kill the processes of this role in the worker that holds the execution."""
        wait_until(lambda: self.worker_of(execution).kill(role, signum), f"there was a process {role}")

    def kill_at(self, execution: Execution, number: int, role: str) -> None:
        """Kill once the execution has this many answered calls."""
        wait_until(lambda: answered(execution) >= number, f"{execution} made {number} calls")
        self.kill(execution, role)

    def revived(self) -> None:
        """Wait until every worker is whole again."""
        wait_until(lambda: all(worker.is_ready() for worker in self.fleet.workers), self.fleet.tail())

    def flow_processes(self) -> list[int]:
        """Return the processes that run scripts, in all workers."""
        return [pid for worker in self.fleet.workers for pid in worker.pids("flow")]


def answered(execution: Execution) -> int:
    """Return how many calls of this execution have their answer written down."""
    return Savepoint.objects.filter(execution=execution, is_pending=False).count()


def is_waiting_unloaded(execution: Execution) -> bool:
    """Does it wait, and no process holds it?"""
    row = Execution.objects.get(pk=execution.pk)
    return row.is_waiting and row.host_id is None


def send(pid: int, signum: int) -> None:
    """Signal one process of ours, if it still lives."""
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        os.kill(pid, signum)
