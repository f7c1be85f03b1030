"""The django-q2 cluster around one execution host, hardened against the death of any of its processes.

A process killed while it idles in a queue's `get()` takes the queue's lock with it and freezes the cluster for
ever. So after any abnormal death the whole cluster ends, and the command that started it starts a fresh one.
"""

import ctypes
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any

from django import db
from django_q import cluster as q_cluster
from django_q.conf import Conf
from django_q.monitor import monitor
from django_q.pusher import pusher
from django_q.status import Stat
from django_q.worker import worker

from executions import doorbell, host
from executions.housekeeping import Housekeeper

logger = logging.getLogger("engine.worker")

STOP_SECONDS = 15.0  # for a stop in good order, before everything is killed
SETTLED_SECONDS = 3.0  # a worker that lived so long did not fail at its start
_PR_SET_PDEATHSIG = 1


def _bound_to_parent(parent: int, target: Callable[..., None], *args: Any) -> None:
    """Run `target` in a process that dies with its parent, so that a kill leaves no orphans at work."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the sentinel says when to stop
    target(*args)


def host_worker(*args: Any) -> None:
    """A django-q2 worker that is also an execution host."""
    host.current = host.Host()
    host.current.start()
    try:
        worker(*args)
    finally:
        host.current.stop()


def claimer(task_queue: Any, event: Any, broker: Any) -> None:
    """django-q2's pusher, which ends its lease when it stops in good order."""
    pusher(task_queue, event, broker)
    broker.leave()


def bookkeeper(*args: Any) -> None:
    """django-q2's monitor, which also keeps house: it has little to do, and shares no interpreter with the host."""
    housekeeper = Housekeeper()
    housekeeper.start()
    monitor(*args)
    housekeeper.stop()


class Sentinel(q_cluster.Sentinel):
    """django-q2's guard, which ends the cluster instead of replacing a process that died."""

    def __init__(self, *args: Any, **options: Any) -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        try:
            super().__init__(*args, **options)
        except db.OperationalError as error:  # what it has begun dies with it
            words = str(error).strip().splitlines()[0]
            logger.warning("the database is away, the worker starts afresh: %s", words)
            os._exit(1)

    def start(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the command says when to stop
        self.event_out = doorbell.Flag()
        super().start()

    def guard(self) -> None:
        """Sleep until one of the processes dies or the end is asked for, where django-q2 looks every so often."""
        self.start_event.set()
        Stat(self).save()
        processes = [*self.pool, self.monitor, self.pusher]
        said = wait([self.stop_event, *(each.sentinel for each in processes)])
        for each in processes:
            if each.sentinel in said:
                each.join(1.0)  # its pipe is closed a moment before it is dead
                self.reincarnate(each)
        self.stop()

    def spawn_process(self, target: Callable[..., None], *args: Any) -> Any:
        process = q_cluster.get_mp_context().Process(
            target=_bound_to_parent, args=(os.getpid(), target, *args), name=f"{target.__name__}"
        )
        process.daemon = target is not host_worker
        if target is host_worker:
            process.timer = args[2]
            self.pool.append(process)
        process.start()
        return process

    def spawn_pusher(self) -> Any:
        return self.spawn_process(claimer, self.task_queue, self.event_out, self.broker)

    def spawn_monitor(self) -> Any:
        return self.spawn_process(bookkeeper, self.result_queue, self.broker)

    def spawn_worker(self) -> None:
        # A lock of each process's own: a shared one would go with the host that is killed while it holds it.
        timer = q_cluster.Value("f", -1, lock=threading.RLock())
        self.spawn_process(host_worker, self.task_queue, self.result_queue, timer, self.timeout)

    def stop(self) -> None:
        self.event_out.set()
        if doorbell.doorbell is not None:
            doorbell.doorbell.ring()  # the pusher sleeps on it
        super().stop()

    def reincarnate(self, process: Any) -> None:
        logger.error(
            "%s (pid %s) died with %s; the worker starts afresh", process.name, process.pid, process.exitcode
        )
        for each in (*self.pool, self.monitor, self.pusher):
            if each is not None and each.is_alive():
                each.kill()
        os._exit(1)


class Cluster(q_cluster.Cluster):
    """One host with its pusher and monitor. `start`, then `wait`, which tells whether it ended in good order."""

    def start(self) -> int:
        doorbell.doorbell = doorbell.Doorbell()
        self.stop_event, self.start_event = doorbell.Flag(), doorbell.Flag()
        db.connections.close_all()  # never fork an open connection
        self.sentinel = q_cluster.get_mp_context().Process(
            target=Sentinel,
            name="sentinel",
            args=(self.stop_event, self.start_event, self.cluster_id, self.broker, Conf.TIMEOUT),
        )
        self.sentinel.start()
        return self.pid

    def wait(self) -> bool:
        """Wait for the end; True when the cluster stopped because it was asked to."""
        while self.sentinel.is_alive():
            self.sentinel.join(1.0)  # which returns at once when it dies
        return self.stop_event.is_set() and self.sentinel.exitcode == 0

    def sig_handler(self, signum: int, frame: Any) -> None:
        # Only asks: joining inside a signal handler would wait for a join that is under way.
        if not self.stop_event.is_set():
            self.stop_event.set()
            signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)
            signal.signal(signal.SIGALRM, self._lose_patience)

    def _lose_patience(self, signum: int, frame: Any) -> None:
        logger.error("the worker did not stop within %g seconds and is killed", STOP_SECONDS)
        self.sentinel.kill()


def run_worker() -> int:
    """Run clusters one after the other until asked to stop; returns the exit code."""
    early_deaths = 0
    while True:
        begun = time.monotonic()
        cluster = Cluster()
        cluster.start()
        in_good_order = cluster.wait()
        if in_good_order or cluster.stop_event.is_set():
            return 0 if in_good_order else 1
        # A worker that dies at once, again and again, must not spin; one that has worked starts afresh at once.
        early_deaths = early_deaths + 1 if time.monotonic() < begun + SETTLED_SECONDS else 0
        time.sleep(min(5.0, 0.05 * 2**early_deaths) if early_deaths else 0.0)
        if cluster.stop_event.is_set():
            return 0
