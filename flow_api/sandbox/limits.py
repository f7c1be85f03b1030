"""Resource limits of one flow process: memory, CPU, processes, file size, open files.

`cage` sets them in each child. They hold per process, the number of processes per user.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from contextlib import suppress

# Address space is reserved more freely than memory is used: stacks of threads, files that are mapped.
_ADDRESS_SPACE_BEYOND_MEMORY = 1024 * 1024 * 1024
_CPU_SECONDS_TO_CLEAN_UP = 5


def set_limits(limits: Mapping[str, int | None], *, counts_processes: bool) -> None:
    """Will limit this process and what it starts. A limit that is missing or None stays as it is."""
    memory = limits.get("memory_bytes")
    if memory:
        _limit(resource.RLIMIT_DATA, memory)
        _limit(resource.RLIMIT_AS, memory + _ADDRESS_SPACE_BEYOND_MEMORY)
    if cpu := limits.get("cpu_seconds"):
        _limit(resource.RLIMIT_CPU, cpu, cpu + _CPU_SECONDS_TO_CLEAN_UP)
    if counts_processes and (processes := limits.get("processes")):
        _limit(resource.RLIMIT_NPROC, processes)
    if files := limits.get("file_bytes"):
        _limit(resource.RLIMIT_FSIZE, files)
    if descriptors := limits.get("open_files"):
        _limit(resource.RLIMIT_NOFILE, descriptors)
    _limit(resource.RLIMIT_CORE, 0)


def prefer_for_out_of_memory() -> None:
    """Will make the kernel end flows, and not the engine, when the machine runs out of memory."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("500")


def _limit(kind: int, soft: int, hard: int | None = None) -> None:
    _, ceiling = resource.getrlimit(kind)
    hard = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))
