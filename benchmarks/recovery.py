"""Measures of coming back: replay of a long history, memory of what waits, idle cost, and recovery from a kill."""

import os
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.engine import Engine
from benchmarks.figures import Figure, median, percentile

SETTLED_SECONDS = 3.5
_TICKS = os.sysconf("SC_CLK_TCK")


def replay(engine: Engine, calls: int = 10_000) -> list[Figure]:
    """An execution with a long history is paused and resumed: the time from its claim to its next live call."""
    script = f"""
from time import monotonic
def handler(system, this, inputs):
    for number in range({calls}):
        this.get('name')
    this.pause()
    this.log('resumed')
"""
    execution = engine.http.post("/execution", json={"script": script}).json()
    path = f"/execution/{execution['id']}"
    while engine.http.get(path).json()["status"] != "PAUSED":
        time.sleep(0.1)
    engine.http.post(f"{path}/resume").raise_for_status()
    while engine.http.get(path).json()["status"] != "ENDED_SUCCESS":
        time.sleep(0.02)
    history = engine.http.get(f"{path}/transitions").json()["results"]
    claimed = [row["at"] for row in history if row["new"] == "RUNNING"][-1]
    line = engine.http.get(f"{path}/log").json()["results"][-1]
    seconds = (_moment(line["at"]) - _moment(claimed)).total_seconds()
    return [Figure(f"replay of {calls:,} recorded calls", seconds, "s", "< 1")]


def resident_memory(engine: Engine, count: int = 100) -> list[Figure]:
    """Memory that one more waiting execution takes while it is still in memory (proportional share)."""
    before = _family(engine)
    script = "def handler(system, this, inputs):\n    this.sleep(30)\n"
    ids = [engine.http.post("/execution", json={"script": script}).json()["id"] for _ in range(count)]
    while any(engine.http.get(f"/execution/{key}").json()["status"] != "SLEEPING" for key in ids[-3:]):
        time.sleep(0.1)
    time.sleep(1)
    sizes = [_share(pid) for pid in _family(engine) - before]
    for key in ids:
        engine.http.post(f"/execution/{key}/cancel")
    return (
        [Figure("memory of a waiting execution while resident", median(sizes) / 2**20, "MB")] if sizes else []
    )


def idle(engine: Engine, seconds: float = 10.0) -> list[Figure]:
    """Processor time and memory of everything together while nothing happens."""
    time.sleep(3)
    begun = sum(_ticks(pid) for pid in _family(engine))
    time.sleep(seconds)
    family = _family(engine)
    used = sum(_ticks(pid) for pid in family) - begun
    return [
        Figure("idle: processor, of one core", 100 * used / _TICKS / seconds, "%", "< 1"),
        Figure("idle: memory of all processes", sum(map(_share, family)) / 2**20, "MB", "< 300"),
    ]


def recovery(engine: Engine, rounds: int = 50) -> list[Figure]:
    """The host is killed while an execution runs: the time until that execution runs again."""
    script = """
def handler(system, this, inputs):
    for number in range(100000):
        this.sleep(0.05)
"""
    gaps = []
    for _ in range(rounds):
        execution = engine.http.post("/execution", json={"script": script}).json()
        path = f"/execution/{execution['id']}"
        while engine.http.get(path).json()["status"] != "SLEEPING":
            time.sleep(0.02)
        time.sleep(SETTLED_SECONDS)  # a worker that dies younger starts afresh with a pause
        host = next(
            row for row in engine.http.get("/process?limit=100").json()["results"] if _is_live_host(row)
        )
        killed_at = time.time()
        os.kill(host["pid"], signal.SIGKILL)
        while True:
            history = engine.http.get(f"{path}/transitions?limit=500").json()["results"]
            again = [
                row
                for row in history
                if row["new"] == "RUNNING" and _moment(row["at"]).timestamp() > killed_at
            ]
            if again:
                gaps.append(_moment(again[0]["at"]).timestamp() - killed_at)
                break
            time.sleep(0.02)
        engine.http.post(f"{path}/cancel")
    return [
        Figure("kill -9 of a host → its execution runs again, p50", median(gaps), "s", "≤ 3"),
        Figure("kill -9 of a host → its execution runs again, p95", percentile(gaps, 0.95), "s"),
        Figure("kill -9 of a host → its execution runs again, max", max(gaps), "s", "≤ 5"),
    ]


def _is_live_host(row: dict[str, Any]) -> bool:
    return bool(row["role"] == "host" and row["is_alive"])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _family(engine: Engine) -> set[int]:
    """Return the pids of the engine's processes: the supervisor and all that descend from it."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    family, grown = {engine.process.pid}, True
    while grown:
        grown = False
        for pid, parent in parents.items():
            if parent in family and pid not in family:
                family.add(pid)
                grown = True
    return family


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _share(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
