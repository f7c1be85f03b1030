"""When something recurs, as pure calculation: no database, no clock of its own.

Firing, pages and REST ask `recurrence_of` for a recurrence and that for its next moments.
"""

from schedules.recurrence.built_in import BUILT_IN, BuiltIn, recurrence_of
from schedules.recurrence.wall_clock import Recurrence, next_moments, zone_of, zones

__all__ = ["BUILT_IN", "BuiltIn", "Recurrence", "next_moments", "recurrence_of", "zone_of", "zones"]
