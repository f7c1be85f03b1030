"""The cast with API keys, and a caller that speaks JSON as one of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg
import pytest
from django.test import Client

from access.api_keys import create_api_key
from access.models import User
from executions import database
from flows.models import Flow
from flows.operations import create_flow
from tests.cast import Cast, make_cast

BASE = "/api/latest"
SCRIPT = "def handler(system, this, inputs):\n    return this.success('done')\n"


@dataclass
class Answer:
    """Status, decoded body and headers of a response."""

    status: int
    body: Any
    headers: Any

    @property
    def code(self) -> str:
        return self.body["error"]["code"]

    @property
    def details(self) -> dict[str, list[str]]:
        return self.body["error"]["details"]

    def names(self) -> list[str]:
        return [row["name"] for row in self.body["results"]]


@dataclass
class Caller:
    """Someone with an API key (or, with no user, nobody)."""

    user: User | None = None
    client: Client = field(default_factory=Client)
    key: str = ""

    def __post_init__(self) -> None:
        if self.user is not None:
            self.key = create_api_key(self.user, "tests")[1]

    def call(
        self, method: str, path: str, body: Any = None, raw: bytes | None = None, **options: Any
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers |= options.pop("headers", {})
        data = raw if raw is not None else (b"" if body is None else orjson.dumps(body))
        options.setdefault("content_type", "application/json")
        response = self.client.generic(method, BASE + path, data, headers=headers, **options)
        content = response.content
        is_json = response.get("Content-Type", "").startswith("application/json")
        return Answer(response.status_code, orjson.loads(content) if content and is_json else None, response)

    def get(self, path: str, query: dict[str, Any] | None = None, **options: Any) -> Answer:
        return self.call("GET", path, query_params=_texts(query), **options)

    def post(
        self, path: str, body: Any = None, query: dict[str, Any] | None = None, **options: Any
    ) -> Answer:
        return self.call("POST", path, body, query_params=_texts(query), **options)

    def patch(self, path: str, body: Any, query: dict[str, Any] | None = None) -> Answer:
        return self.call("PATCH", path, body, query_params=_texts(query))

    def delete(self, path: str, query: dict[str, Any] | None = None) -> Answer:
        return self.call("DELETE", path, query_params=_texts(query))

    def walk(
        self, path: str, query: dict[str, Any] | None = None, between: Callable[[], Any] = lambda: None
    ) -> list[Any]:
        """Return the rows of all pages; `between` is done after each page."""
        rows: list[Any] = []
        query = dict(query or {})
        for _ in range(200):
            answer = self.get(path, query)
            assert answer.status == 200, answer.body
            rows += answer.body["results"]
            if answer.body["next"] is None:
                return rows
            query["cursor"] = answer.body["next"]
            between()
        raise AssertionError("the walk does not end")


def _texts(query: dict[str, Any] | None) -> dict[str, str]:
    """Return the parameters as text; objects and lists as JSON."""
    return {
        name: orjson.dumps(value).decode() if isinstance(value, dict | list) else str(value)
        for name, value in (query or {}).items()
    }


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def root(cast: Cast) -> Caller:
    return Caller(cast.root)


@pytest.fixture
def alice(cast: Cast) -> Caller:
    return Caller(cast.alice)


@pytest.fixture
def bob(cast: Cast) -> Caller:
    return Caller(cast.bob)


@pytest.fixture
def carol(cast: Cast) -> Caller:
    return Caller(cast.carol)


@pytest.fixture
def mallory(cast: Cast) -> Caller:
    return Caller(cast.mallory)


@pytest.fixture
def nobody(db: None) -> Caller:
    return Caller()


@pytest.fixture
def flow(cast: Cast) -> Flow:
    return create_flow(by=cast.alice, project=cast.workshop, name="Daily report", script=SCRIPT)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Returns a context that collects every statement sent by this thread, whichever cursor sends it."""
    sent: list[str] | None = None
    execute = psycopg.Cursor.execute

    def collecting(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        if sent is not None:
            sent.append(str(query))
        return execute(self, query, *args, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", collecting)
    prepared = database.run_prepared

    def collecting_prepared(link: Any, sql: str, params: Any) -> Any:
        if sent is not None:
            sent.append(" ".join(sql.split()))
        return prepared(link, sql, params)

    monkeypatch.setattr(database, "run_prepared", collecting_prepared)
    together = database.run_together

    def collecting_together(link: Any, statements: Any) -> Any:
        if sent is not None:
            sent.extend(" ".join(sql.split()) for sql, _ in statements)
        return together(link, statements)

    monkeypatch.setattr(database, "run_together", collecting_together)

    @contextmanager
    def collect() -> Iterator[list[str]]:
        nonlocal sent
        sent = collected = []
        try:
            yield collected
        finally:
            sent = None

    return collect
