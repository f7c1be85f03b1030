"""Geometry of the dashboard's column chart; the template draws it. Pure arithmetic."""

from dataclasses import dataclass

from engine_site.figures import Day

WIDTH = 700
HEIGHT = 170
TOP = 18
BASE = HEIGHT - 24
GAP = 0.38


@dataclass(frozen=True)
class Segment:
    """One coloured piece of a column."""

    group: str
    y: float
    height: float


@dataclass(frozen=True)
class Column:
    """One day of the chart."""

    day: Day
    label: str
    left: float
    x: float
    width: float
    centre: float
    top: float
    step: float
    segments: list[Segment]

    @property
    def words(self) -> str:
        """What the column says to those who cannot see it."""
        day = self.day
        parts = [f"{day.success} success", f"{day.error} error"]
        if day.cancelled:
            parts.append(f"{day.cancelled} cancelled")
        if day.alive:
            parts.append(f"{day.alive} not ended")
        return f"{day.total or ''} {self.label}: {', '.join(parts)}".strip()


def columns(days: list[Day]) -> list[Column]:
    """Return the columns, scaled to the tallest day."""
    tallest = max((day.total for day in days), default=0) or 1
    step = WIDTH / max(len(days), 1)
    drawn = []
    for index, day in enumerate(days):
        width = step * (1 - GAP)
        left = index * step
        segments, y = [], float(BASE)
        for group, number in (
            ("ok", day.success),
            ("err", day.error),
            ("off", day.cancelled),
            ("run", day.alive),
        ):
            if number:
                # A single failure among thousands must stay visible.
                height = max(2.0, (BASE - TOP) * number / tallest)
                y -= height
                segments.append(Segment(group, round(y, 1), round(height, 1)))
        drawn.append(
            Column(
                day=day,
                label="today" if index == len(days) - 1 else f"{day.date:%a} {day.date.day}",
                left=round(left, 1),
                x=round(left + step * GAP / 2, 1),
                width=round(width, 1),
                centre=round(left + step / 2, 1),
                top=round(y - 5, 1),
                step=round(step, 1),
                segments=segments,
            )
        )
    return drawn
