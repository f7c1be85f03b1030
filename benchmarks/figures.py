"""Figures and their table: medians and tails, with the budget they are held against, and the machine."""

import os
import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured value. `budget` is the aim of docs/performance.md, `baseline` what `other` reached in this run."""

    name: str
    value: float
    unit: str
    budget: str = ""
    baseline: float | None = None
    other: str = ""

    @property
    def ratio(self) -> str:
        if self.baseline is None or not self.value or not self.baseline:
            return ""
        better = self.value / self.baseline if self.unit.endswith("/s") else self.baseline / self.value
        return f"{better:.1f}×"


def median(values: list[float]) -> float:
    return statistics.median(values)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
    rows = ["| what | measured | budget | baseline | better by |", "|---|--:|--:|--:|--:|"]
    for figure in figures:
        has_baseline = figure.baseline is not None
        baseline = f"{figure.other}: {figure.baseline:,.4g} {figure.unit}" if has_baseline else ""
        value = f"{figure.value:,.4g} {figure.unit}"
        rows.append(f"| {figure.name} | {value} | {figure.budget} | {baseline} | {figure.ratio} |")
    return "\n".join(rows)


def million_additions() -> float:
    """How long a million additions take in Python at this moment, in ms: a yardstick, as machines are not steady."""
    begun, total = time.perf_counter(), 0
    for number in range(1_000_000):
        total += number
    return (time.perf_counter() - begun) * 1000


def machine(speeds: list[float]) -> str:
    """Return one line on the machine, its load, and its speed from time to time while it was measured."""
    known = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    model = known[0].split(":", 1)[1].strip() if known else platform.processor()
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    speed = f"a million additions in {min(speeds):.0f} to {max(speeds):.0f} ms"
    return f"{os.cpu_count()} cores ({model}), {system}, load {load}, {speed}"
