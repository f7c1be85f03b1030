"""What the tests of connections share: the engine's stage and workers, and real servers to speak to."""

from tests.connectors.servers import web
from tests.executions.conftest import cast, db, fleet, host, hosts, play, stage

__all__ = ["cast", "db", "fleet", "host", "hosts", "play", "stage", "web"]
