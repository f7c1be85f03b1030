"""Topics: what other parts tell the open browsers, beside executions. A hint only; the browser then asks.

A part offers its topic when it is ready and calls `announce.announce_topic`; the ear reads who may hear of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Hint:
    """One piece of news: for those who may see the project, and for these people. `about` says what it concerns."""

    project_id: UUID
    user_ids: frozenset[UUID] = frozenset()
    about: str = ""


ReadHints = Callable[[list[UUID]], list[Hint]]
_topics: dict[str, ReadHints] = {}


def offer_topic(name: str, read: ReadHints) -> None:
    """Let the news of this topic reach the browsers: `read` returns the hints for the keys that were announced."""
    _topics[name] = read


def read_hints(topic: str, keys: list[UUID]) -> list[Hint]:
    """Return the hints for these keys; none when nobody offers the topic."""
    return _topics[topic](keys) if topic in _topics else []
