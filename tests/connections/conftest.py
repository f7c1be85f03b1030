"""What the tests of connections share: the engine's stage and workers, and real servers to speak to."""

from tests.connections.servers import authority, postgres, web
from tests.executions.conftest import cast, db, fleet, host, hosts, play, stage

__all__ = ["authority", "cast", "db", "fleet", "host", "hosts", "play", "postgres", "stage", "web"]
