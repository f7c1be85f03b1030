"""The frame around a script: asks for it, runs its handler, reports how it ended, and leaves the process.

The zygote calls `main` in a fresh child. The report is only what the script's process says; what the outcome is, the
host decides on its side of the wall.
"""

from __future__ import annotations

import faulthandler
import os
import socket
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from flow_api import traces
from flow_api.channel import Channel
from flow_api.exceptions import EngineException, LifecycleSignal
from flow_api.execution import Execution
from flow_api.streams import LogStream
from flow_api.system import System
from flow_api.values import clean_text, to_json

MODULE_NAME = "flow_script"
EXIT_WITHOUT_REPORT = 70


class HandlerError(EngineException):
    """The script has no handler that can be called."""


def main(sock: socket.socket) -> NoReturn:
    """Will run one script from its first request to its last message; never returns."""
    try:
        channel = Channel(sock)
        channel.listen_for_cancel()
        streams = [LogStream(channel, "stdout", 1), LogStream(channel, "stderr", 2)]
        sys.stdout, sys.stderr = streams  # type: ignore[assignment]
        faulthandler.enable(file=2, all_threads=False)
        report = _run(channel)
        if not channel.is_ours():  # the script forked, and the copy came back from the handler too
            os._exit(0)
        for stream in streams:
            stream.flush_rest()
        channel.end(report)
        os._exit(0)
    except BaseException as error:
        os.write(2, f"the flow process cannot report its end: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(EXIT_WITHOUT_REPORT)


def _run(channel: Channel) -> dict[str, Any]:
    try:
        begin = channel.call("begin", {})
        channel.script_filename = begin["filename"]
        try:
            channel.arm()
            returned = _run_handler(channel, begin)
        finally:
            channel.disarm()
    except BaseException as error:
        return _report_of(channel, channel.signal or error)
    if channel.signal is not None:  # raised once, and swallowed by a bare `except:`
        return _report_of(channel, channel.signal)
    return _report("success", "") | _output(channel, returned)


def _run_handler(channel: Channel, begin: dict[str, Any]) -> object:
    filename = begin["filename"]
    traces.remember_source(filename, begin["script"])
    module = ModuleType(MODULE_NAME)
    module.__file__ = filename
    sys.modules[MODULE_NAME] = module
    exec(compile(begin["script"], filename, "exec", dont_inherit=True), module.__dict__)
    handler, takes_inputs = _handler_of(module)
    system = System(channel, begin)
    this = Execution.own(system, begin["execution"])
    if takes_inputs:
        return handler(system, this, begin.get("inputs") or {})
    return handler(system, this)


def _handler_of(module: ModuleType) -> tuple[Callable[..., object], bool]:
    handler = getattr(module, "handler", None)
    if not callable(handler):
        raise HandlerError("the script defines no function handler(system, this, inputs)")
    import inspect

    if inspect.iscoroutinefunction(handler) or inspect.isgeneratorfunction(handler):
        raise HandlerError("handler must be a plain function, neither async nor a generator")
    signature = inspect.signature(handler)
    for arguments in (3, 2):
        try:
            signature.bind(*range(arguments))
        except TypeError:
            continue
        return handler, arguments == 3
    raise HandlerError(f"handler{signature} must take (system, this, inputs) or (system, this)")


def _report_of(channel: Channel, error: BaseException) -> dict[str, Any]:
    if isinstance(error, LifecycleSignal):
        return _report(error.status, error.message)
    message, trace, line = traces.describe(error, channel.script_filename or "")
    return _report("error", message) | {"traceback": clean_text(trace), "line": line}


def _report(status: str, message: str) -> dict[str, Any]:
    return {
        "status": status,
        "message": clean_text(message),
        "traceback": None,
        "line": None,
        "output": None,
        "has_output": False,
    }


def _output(channel: Channel, returned: object) -> dict[str, Any]:
    if returned is None:
        return {}
    try:
        return {"output": to_json(returned, "the value that handler returned"), "has_output": True}
    except EngineException as error:
        channel.log(clean_text(f"{error}; it was not stored"), level="warning")
        return {}
