"""What scripts may import from flow_api does not change by accident, and importing it stays cheap and alone."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import flow_api

ROOT = Path(flow_api.__file__).parent.parent


def test_the_public_names_are_those_that_are_promised() -> None:
    promised = """
        DeadlockError DependencyFailedError DependencyTimeoutError EngineException Execution ExecutionCancel
        ExecutionError ExecutionSuccess ExtraInputError Flow InternalError InvalidInputError LifecycleSignal
        LockDeadlockError LockTimeoutError MessageResponseTimeoutError MissingInputError NotSet PermissionDenied
        Project Record ResourceNotFoundError
        ReturnWhen SchemaError SchemaValidationError Setting Status System TimeoutExceededError User split_url
    """
    assert set(promised.split()) <= set(flow_api.__all__)
    public = {name for name, value in vars(flow_api).items() if not name.startswith("_")}
    modules = {name for name in public if isinstance(getattr(flow_api, name), types.ModuleType)}
    assert public - modules == set(flow_api.__all__)


def test_signals_are_not_exceptions_and_errors_are() -> None:
    assert not issubclass(flow_api.LifecycleSignal, Exception)
    assert issubclass(flow_api.DependencyTimeoutError, flow_api.TimeoutExceededError)
    assert issubclass(flow_api.DependencyFailedError, flow_api.EngineException)
    for signal in (flow_api.ExecutionSuccess, flow_api.ExecutionError, flow_api.ExecutionCancel):
        assert issubclass(signal, flow_api.LifecycleSignal)


def test_it_needs_nothing_but_the_standard_library_and_little_of_that() -> None:
    code = "import sys; sys.path.append(sys.argv[1]); import flow_api; print('\\n'.join(sys.modules))"
    command = [sys.executable, "-I", "-S", "-c", code, str(ROOT)]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    foreign = (
        {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"flow_api", "__main__"}
    )
    assert foreign == set()
    assert not loaded & {"urllib.parse", "urllib.request", "http", "email", "asyncio", "ctypes", "inspect"}


def test_a_url_is_split_into_the_keywords_of_a_connection() -> None:
    assert flow_api.split_url("https://me:s%20t@example.org:8443/a/b?x=1&y=#z") == {
        "scheme": "https", "host": "example.org", "port": 8443, "path": "/a/b",
        "query": [{"name": "x", "value": "1"}, {"name": "y", "value": ""}],
        "fragment": "z", "username": "me", "password": "s t",
    }  # fmt: skip
    assert flow_api.split_url("http://example.org") == {
        "scheme": "http", "host": "example.org", "port": 80, "path": "/",
    }  # fmt: skip
