"""The frame around a script: runs its handler, reports how it ended, and leaves the process.

The zygote makes one `Frame` and rehearses it, so that its children find everything in its place. The report
is only what the script's process says; what the outcome is, the host decides on its side of the wall.
"""

from __future__ import annotations

import faulthandler
import gc
import linecache
import os
import random
import resource
import signal
import socket
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, NoReturn

from flow_api import determinism, traces
from flow_api.channel import Channel, encode
from flow_api.exceptions import EngineException, LifecycleSignal
from flow_api.execution import Execution
from flow_api.streams import LogStream
from flow_api.system import System
from flow_api.values import clean_text, to_json

MODULE_NAME = "flow_script"
EXIT_WITHOUT_REPORT = 70
_MOST_TEXT = 256 * 1024

_VARIADIC, _NOT_PLAIN = 0x04, 0x20 | 0x80 | 0x200  # flags of code objects: *args; generator, coroutine, both

_REHEARSAL = """
import flow_api
def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    print("word")
    this.log("word", inputs)
    this.get("status")
    return this.success("done")
"""


class HandlerError(EngineException):
    """The script has no handler that can be called."""


class Frame:
    """Everything that runs a script, made before there is one."""

    def __init__(self) -> None:
        self.channel = Channel()
        self._streams = [LogStream(self.channel, "stdout", 1), LogStream(self.channel, "stderr", 2)]
        faulthandler.enable(file=2, all_threads=False)
        signal.signal(signal.SIGTERM, self.channel.on_term)
        random.seed()

    def rehearse(self, times: int = 12) -> None:
        """Will run a script of ours and leave no trace of it.

        In the zygote, so that the interpreter has nothing left to prepare; in a child that waits for its script, so
        that the memory which it shares with the zygote is copied before there is one.
        """
        begin = {"script": _REHEARSAL, "filename": "rehearsal.py", "inputs": {"a": 1}}
        answers = [
            begin | {"execution": {"id": "1"}, "user": {"id": "1"}, "env_name": ""},
            {"status": "RUNNING"},
        ]
        stdout, stderr = sys.stdout, sys.stderr
        for _ in range(times):
            ours, theirs = socket.socketpair()
            with ours, theirs:
                theirs.sendall(b"".join(encode({"n": n, "value": value}) for n, value in enumerate(answers)))
                self.channel.attach(ours)
                sys.stdout, sys.stderr = self._streams
                report = self._run()
                self.channel.end(report)
            if report["status"] != "success":
                raise RuntimeError(f"the rehearsal failed: {report}")
        sys.stdout, sys.stderr = stdout, stderr
        del sys.modules[MODULE_NAME], linecache.cache["rehearsal.py"]

    def run(self, sock: socket.socket) -> NoReturn:
        """Will run the one script of this process, from the answer to `begin` to its last message; never returns."""
        try:
            gc.enable()
            self.channel.attach(sock)
            # The zygote blocks it, so that none is lost; from here on it is remembered, and after `arm` raised.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
            sys.stdout, sys.stderr = self._streams
            report = self._run()
            if not self.channel.is_ours():  # the script forked, and the copy came back from the handler too
                os._exit(0)
            for stream in self._streams:
                stream.flush_rest()
            self._say_last(report)
            os._exit(0)
        except BaseException as error:
            os.write(2, f"the flow process cannot report its end: {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(EXIT_WITHOUT_REPORT)

    def _say_last(self, report: dict[str, Any]) -> None:
        try:
            self.channel.end(report | _usage())
        except EngineException as error:  # the value that handler returned is too large to send
            self.channel.end(_report("error", str(error)) | _usage())

    def _run(self) -> dict[str, Any]:
        channel = self.channel
        try:
            begin = channel.begin()
            if "seed" in begin:
                determinism.activate(begin["seed"])
            else:
                random.seed(int.from_bytes(os.urandom(16), "big"))  # else every child would draw the same
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
    handler = module.__dict__.get("handler")
    if not callable(handler):
        raise HandlerError("the script defines no function handler(system, this, inputs)")
    if (
        not isinstance(handler, FunctionType)
        or handler.__kwdefaults__ is not None
        or handler.__code__.co_kwonlyargcount
    ):
        raise HandlerError(
            "handler must be a plain function that takes (system, this, inputs) or (system, this)"
        )
    code = getattr(handler, "__wrapped__", handler).__code__
    if code.co_flags & _NOT_PLAIN:
        raise HandlerError("handler must be a plain function, neither async nor a generator")
    least = code.co_argcount - len(getattr(handler, "__wrapped__", handler).__defaults__ or ())
    for arguments in (3, 2):
        if least <= arguments and (arguments <= code.co_argcount or code.co_flags & _VARIADIC):
            return handler, arguments == 3
    names = ", ".join(code.co_varnames[: code.co_argcount])
    raise HandlerError(f"handler({names}) must take (system, this, inputs) or (system, this)")


def _report_of(channel: Channel, error: BaseException) -> dict[str, Any]:
    if isinstance(error, LifecycleSignal):
        return _report(error.status, error.message)
    message, trace, line = traces.describe(error, channel.script_filename or "")
    return _report("error", message) | {"traceback": clean_text(trace)[-_MOST_TEXT:], "line": line}


def _report(status: str, message: str) -> dict[str, Any]:
    return {
        "status": status,
        "message": clean_text(message)[:_MOST_TEXT],
        "traceback": None,
        "line": None,
        "output": None,
        "has_output": False,
    }


def _usage() -> dict[str, Any]:
    """What this process and what it started and waited for have used."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "cpu_seconds": round(own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime, 6),
        "max_rss_bytes": max(own.ru_maxrss, others.ru_maxrss) * 1024,
    }


def _output(channel: Channel, returned: object) -> dict[str, Any]:
    if returned is None:
        return {}
    try:
        return {"output": to_json(returned, "the value that handler returned"), "has_output": True}
    except EngineException as error:
        channel.log(clean_text(f"{error}; it was not stored"), level="warning")
        return {}
