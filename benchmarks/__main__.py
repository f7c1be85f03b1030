"""`python -m benchmarks [NAME…]`: measures all, or only the named measures, and prints a table for the docs."""

import sys
from dataclasses import replace

from benchmarks import measures, recovery
from benchmarks.engine import Engine
from benchmarks.figures import Figure, machine, table
from benchmarks.stock import measure_stock

MEASURES = {
    "start": measures.start_latency,
    "call": measures.call_round_trip,
    "children": measures.children,
    "sustained": measures.sustained,
    "live": measures.live_latency,
    "replay": recovery.replay,
    "resident": recovery.resident_memory,
    "idle": recovery.idle,
    "recovery": recovery.recovery,
}
_BASELINE = {
    "accepted → first line of user code, p50": "start_p50",
    "trivial executions, sustained": "rate",
    "40 synchronous children in sequence": "sequential",
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        print(f"There is no measure {unknown[0]!r}; there are: {', '.join(MEASURES)}.", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    with Engine() as engine:
        figures.append(Figure("`manage.py up` → ready, first start", engine.seconds_to_ready, "s", "< 3"))
        for name in names or MEASURES:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            measured = MEASURES[name](engine)
            for figure in measured:
                print(f"    {figure.name}: {figure.value:,.4g} {figure.unit}", file=sys.stderr, flush=True)
            figures += measured
        print("measuring stock django-q2 …", file=sys.stderr, flush=True)
        stock = measure_stock(engine)
    figures = [
        replace(figure, stock=stock[_BASELINE[figure.name]]) if figure.name in _BASELINE else figure
        for figure in figures
    ]
    print(machine(), table(figures), sep="\n\n")
    return 0


sys.exit(main(sys.argv[1:]))
