"""What the tests of wrappers share: the engine tests' database, cast, stage and workers."""

from tests.executions.conftest import cast, db, fleet, play, stage  # noqa: F401  fixtures are found by their names here
