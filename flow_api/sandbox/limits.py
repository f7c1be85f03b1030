"""Resource limits of one flow process: memory, CPU, processes, file size, open files.

`cage` works them out for the child to set. They hold per process, the number of processes
per user.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from contextlib import suppress

# Address space is reserved more freely than memory is used: stacks of threads, files that are mapped.
_BEYOND_MEMORY = 1024 * 1024 * 1024
_CPU_SECONDS_TO_CLEAN_UP = 5

# What a user's own processes may come to when runs cannot be counted one by one.
_SHARED_PROCESSES = 4096


Limits = list[tuple[int, tuple[int, int]]]


def rlimits(limits: Mapping[str, int | None], *, counts_processes: bool) -> Limits:
    """Will return the limits as `setrlimit` takes them. A limit that is missing or None stays as it is."""
    found = [_limit(resource.RLIMIT_CORE, 0)]
    if memory := limits.get("memory_bytes"):
        found += [_limit(resource.RLIMIT_DATA, memory), _limit(resource.RLIMIT_AS, memory + _BEYOND_MEMORY)]
    if cpu := limits.get("cpu_seconds"):
        found += [_limit(resource.RLIMIT_CPU, cpu, cpu + _CPU_SECONDS_TO_CLEAN_UP)]
    if processes := limits.get("processes"):
        found += [_limit(resource.RLIMIT_NPROC, processes if counts_processes else _SHARED_PROCESSES)]
    if file_size := limits.get("file_bytes"):
        found += [_limit(resource.RLIMIT_FSIZE, file_size)]
    if descriptors := limits.get("open_files"):
        found += [_limit(resource.RLIMIT_NOFILE, descriptors)]
    return found


def prefer_for_out_of_memory() -> None:
    """Will make the kernel end flows, and not the engine, when the machine runs out of memory."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("500")


def _limit(kind: int, soft: int, hard: int | None = None) -> tuple[int, tuple[int, int]]:
    _, ceiling = resource.getrlimit(kind)
    hard = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    return kind, (soft, hard)
