"""`python -m benchmarks [NAME…]`: measures all, or only the named measures, and prints a table for the docs."""

import sys
from dataclasses import replace

from benchmarks import measures, recovery, schedules
from benchmarks import retention as expiry
from benchmarks.connections import connections
from benchmarks.dbos import measure_dbos
from benchmarks.engine import Engine
from benchmarks.figures import Figure, machine, million_additions, table
from benchmarks.lists import lists
from benchmarks.stock import measure_stock

MEASURES = {
    "start": measures.start_latency,
    "call": measures.call_round_trip,
    "children": measures.children,
    "connections": connections,
    "sustained": measures.sustained,
    "live": measures.live_latency,
    "replay": recovery.replay,
    "resident": recovery.resident_memory,
    "idle": recovery.idle,
    "recovery": recovery.recovery,
    "retention": expiry.retention,
    "schedules": schedules.lateness,
    "lists": lists,
}
_STOCK = {
    "accepted → first line of user code, p50": "start_p50",
    "trivial executions, sustained": "rate",
    "40 synchronous children in sequence": "sequential",
}
_DBOS = {
    "savepoints of one execution": "steps",
    "kill -9 of a host → its execution runs again, p50": "recovery",
}


def _beside(
    figures: list[Figure], other: str, rows: dict[str, str], measured: dict[str, float]
) -> list[Figure]:
    return [
        replace(figure, baseline=measured.get(rows[figure.name]), other=other)
        if figure.name in rows
        else figure
        for figure in figures
    ]


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        print(f"There is no measure {unknown[0]!r}; there are: {', '.join(MEASURES)}.", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    speeds = [million_additions()]
    with Engine() as engine:
        figures.append(Figure("`manage.py up` → ready, first start", engine.seconds_to_ready, "s", "< 3"))
        for name in names or MEASURES:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            measured = MEASURES[name](engine)
            for figure in measured:
                print(f"    {figure.name}: {figure.value:,.4g} {figure.unit}", file=sys.stderr, flush=True)
            figures += measured
            speeds.append(million_additions())
        for other, rows, measure in (
            ("stock django-q2", _STOCK, measure_stock),
            ("DBOS", _DBOS, measure_dbos),
        ):
            if any(figure.name in rows for figure in figures):
                print(f"measuring {other} …", file=sys.stderr, flush=True)
                figures = _beside(figures, other, rows, measure(engine))
    print(machine(speeds), table(figures), sep="\n\n")
    return 0


sys.exit(main(sys.argv[1:]))
