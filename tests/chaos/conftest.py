"""What the chaos tests share: the engine tests' database, cast, stage and workers.

They must be found here and not in a test module: only a package's own conftest gives them the package's scope.
"""

from tests.executions.conftest import cast, db, fleet, stage  # noqa: F401  fixtures are found by their names here
