"""`this` and its children: what a script does with its own execution and with those that it starts.

`Execution` is a record with verbs of its own; each is one call. Whether a verb is allowed, the host decides.
"""

from __future__ import annotations

import datetime
import math
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NoReturn, Self

from flow_api.exceptions import (
    DependencyFailedError,
    EngineException,
    ExecutionCancel,
    ExecutionError,
    ExecutionSuccess,
    InvalidInputError,
)
from flow_api.log import write_log
from flow_api.messages import Message
from flow_api.records import Record
from flow_api.starting import return_when_value, split_keywords, wait_value
from flow_api.system import NotSet, ReturnWhen
from flow_api.using import Using
from flow_api.values import clean_text, to_json

if TYPE_CHECKING:
    from flow_api.system import System


class Execution(Record):
    """An execution: `this`, one that it started, or `system.execution(id)`."""

    RESOURCE = "execution"

    _is_own = False

    @classmethod
    def own(cls, system: System, row: dict[str, Any]) -> Self:
        """Will return `this`."""
        this = cls.known(system, row)
        this._is_own = True
        return this

    # starting others

    def flow(
        self,
        select: object,
        inputs: Any = None,
        name: str | None = None,
        wait: bool | ReturnWhen | str = True,
        run: bool = True,
        init: dict[str, Any] | None = None,
        *,
        by: str | None = None,
        **keywords: Any,
    ) -> Execution:
        """Will start a flow as a child and, unless `wait=False`, wait for it. Unknown keywords become inputs."""
        from flow_api.records import Flow

        flow = Flow(self._system, select, by=by)
        args = {"type": "FLOW", "select": flow._select, "by": flow._by, "script": None}
        return self._start(args, inputs, name, wait, run, init, keywords)

    def script(
        self,
        script: str,
        inputs: Any = None,
        name: str | None = None,
        wait: bool | ReturnWhen | str = True,
        run: bool = True,
        init: dict[str, Any] | None = None,
        **keywords: Any,
    ) -> Execution:
        """Will start a script, given as text, as a child."""
        args = {"type": "SCRIPT", "select": None, "by": None, "script": to_json(script, "script")}
        return self._start(args, inputs, name, wait, run, init, keywords)

    def connect(
        self,
        connector_name: object = None,
        name: str | None = None,
        wait: bool | ReturnWhen | str = True,
        run: bool = True,
        init: dict[str, Any] | None = None,
        inputs: Any = None,
        *,
        connector_type: str | None = None,
        by: str | None = None,
        **keywords: Any,
    ) -> Execution:
        """Will make a connection as a child: with a stored connector, or with a type and all inputs given here.

        Unknown keywords become inputs.
        """
        args: dict[str, Any] = {
            "type": "CONNECTION",
            "connector_type": to_json(connector_type, "connector_type"),
        }
        if connector_name is not None:
            connector = Record(self._system, connector_name, by=by, type_name="connector")
            args |= {"select": connector._select, "by": connector._by}
        return self._start(args, inputs, name, wait, run, init, keywords)

    def task(self, connector_type: str, *args: Any, **keywords: Any) -> Execution:
        """Will make a connection of this type: the older name of `connect(connector_type=…)`."""
        return self.connect(None, *args, connector_type=connector_type, **keywords)

    def using(self, wrapper: object, /, **inputs: Any) -> Using:
        """Will return the way to start something through this wrapper: `this.using('retry').flow('x')`."""
        return Using(self, []).using(wrapper, **inputs)

    def start_child(
        self,
        inputs: Any = None,
        name: str | None = None,
        wait: bool | ReturnWhen | str = True,
        run: bool = True,
        init: dict[str, Any] | None = None,
        **keywords: Any,
    ) -> Execution:
        """Will start what this wrapper wraps. Unknown keywords change some of its inputs, `inputs` replaces them."""
        self._must_be_own("start what it wraps")
        changes, fields = split_keywords(None, name, init, keywords)
        args = {"inputs": to_json(inputs, "inputs"), "changes": changes, "fields": fields, "run": bool(run)}
        waited = wait_value(wait) if run else None
        return self._known_execution(self._call("execution.start_child", args | {"wait": waited}))

    def _start(
        self,
        args: dict[str, Any],
        inputs: Any,
        name: object,
        wait: object,
        run: bool,
        init: Any,
        keywords: Any,
    ) -> Execution:
        self._must_be_own("start executions")
        inputs, fields = split_keywords(inputs, name, init, keywords)
        waited = wait_value(wait) if run else None
        args |= {"inputs": inputs, "fields": fields, "run": bool(run), "wait": waited}
        return self._known_execution(self._call("execution.start", args))

    def clone(
        self,
        name: str | None = None,
        init: dict[str, Any] | None = None,
        wait: bool | ReturnWhen | str = True,
        inputs: Any = None,
        **keywords: Any,
    ) -> Execution:
        """Will start a copy of this execution with some inputs changed."""
        inputs, fields = split_keywords(inputs, name, init, keywords)
        args = {"id": self.get("id"), "name": fields.pop("name", None), "inputs": inputs, "fields": fields}
        return self._known_execution(self._call("execution.clone", args | {"wait": wait_value(wait)}))

    def run(self, wait: bool | ReturnWhen | str = True) -> Self:
        """Will run an execution that was only created, and wait for it."""
        self._call("execution.run", {"id": self.get("id"), "wait": wait_value(wait)})
        return self

    def run_async(self) -> Self:
        """Will run an execution that was only created, without waiting."""
        return self.run(wait=False)

    # waiting

    def wait(
        self, return_when: ReturnWhen | str = ReturnWhen.ALL_SUCCEEDED, *, timeout: float | None = None
    ) -> Execution:
        """Will wait until this execution has ended and return it."""
        self.wait_for(self, return_when=return_when, timeout=timeout)
        return self

    def wait_for(
        self,
        *executions: Any,
        return_when: ReturnWhen | str = ReturnWhen.ALL_SUCCEEDED,
        timeout: float | None = None,
    ) -> list[Execution]:
        """Will wait for several executions, given as objects or ids, and return those that the engine names."""
        ids = [
            item.get("id") if isinstance(item, Record) else to_json(item, "id") for item in _flat(executions)
        ]
        args = {"ids": ids, "return_when": return_when_value(return_when), "timeout": _seconds(timeout)}
        return [self._known_execution(row) for row in self._call("execution.wait", args)]

    def sleep(self, seconds: float | datetime.timedelta) -> None:
        """Will go on no sooner than after this many seconds."""
        if isinstance(seconds, datetime.timedelta):
            seconds = seconds.total_seconds()
        self._must_be_own("sleep")
        self._call("sleep", {"seconds": _seconds(seconds)})

    def sleep_until(self, moment: float | datetime.datetime) -> None:
        """Will go on no sooner than at this moment: a Unix timestamp or a datetime (UTC if it has no zone)."""
        if isinstance(moment, datetime.datetime):
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
        self._must_be_own("sleep")
        self._call("sleep", {"until": _number(moment)})

    # asking people

    def message(
        self,
        subject: str | None = None,
        message: str | None = None,
        request: str | None = None,
        body: dict[str, Any] | str | None = None,
        message_type: str | None = None,
        wait: bool = True,
        *,
        timeout: float | datetime.timedelta | None = None,
        default: dict[str, Any] | None = None,
        recipients: Any = None,
        recipient_roles: Any = None,
        init: dict[str, Any] | None = None,
    ) -> Message:
        """Will show people a text (Markdown), a question or a form and, unless `wait=False`, wait for the answer."""
        self._must_be_own("write messages")
        named = {
            "subject": subject, "message": message, "request": request, "body": body, "message_type": message_type,
            "timeout": timeout, "default": default, "recipients": recipients,
            "recipient_roles": recipient_roles,
        }  # fmt: skip
        given = {name: value for name, value in named.items() if value is not None}
        return Message.create(self._system, {**(init or {}), **given}, wait=bool(wait))

    # ending

    def success(self, message: object = "") -> NoReturn:
        """Will end this execution in success."""
        self._end(ExecutionSuccess(_message(message)))

    def error(self, message: object = "") -> NoReturn:
        """Will end this execution in error."""
        self._end(ExecutionError(_message(message)))

    def end(self, status: str, message: object = "") -> NoReturn:
        """Will end this execution with a status: success, error or cancelled."""
        kinds = {kind.status: kind for kind in (ExecutionSuccess, ExecutionError, ExecutionCancel)}
        word = str(status).lower().removeprefix("ended_")
        if word not in kinds:
            raise InvalidInputError(f"an execution cannot end as {status!r}; there are {', '.join(kinds)}")
        self._end(kinds[word](_message(message)))

    def _end(self, raised: ExecutionSuccess | ExecutionError | ExecutionCancel) -> NoReturn:
        self._must_be_own("end")
        self._system._channel.end_with(raised)

    def cancel(self) -> Self:
        """Will cancel this execution."""
        self._call("execution.cancel", {"id": self.get("id")})
        if self._is_own:
            self._end(ExecutionCancel("the execution cancelled itself"))
        return self

    # pausing and going back

    def pause(self) -> Self:
        """Will pause this execution until someone resumes it; `this` pauses at this very call."""
        self._call("execution.pause", {"id": self.get("id")})
        return self

    def resume(self) -> Self:
        """Will let this execution go on if it is paused."""
        self._call("execution.resume", {"id": self.get("id")})
        return self

    def save_dump(self, name: str) -> None:
        """Will give the savepoint of this call a name, for `load_dump` or for people."""
        self._must_be_own("save a dump")
        self._call("savepoint.save", {"name": name})

    def load_dump(self, select: str | int, by: str = "name") -> NoReturn:
        """Will go back to a named savepoint, or (`by="id"`) to the one with this number, and go on from there."""
        self._must_be_own("load a dump")
        self._call("savepoint.load", {"select": select, "by": by})
        raise EngineException("the engine did not go back to the savepoint")

    # telling

    def log(self, *values: Any, level: str = "info", **named: Any) -> None:
        """Will write values to the log of this execution; what has a structure keeps it."""
        self._must_be_own("log")
        write_log(self._system._channel, values, level, named)

    def set_output(self, key: Any = None, value: Any = None, /, **values: Any) -> None:
        """Will add to the output value: `set_output('key', value)` or `set_output(key=value)`."""
        self._must_be_own("set the output")
        if isinstance(key, dict):
            values = {**key, **values}
        elif isinstance(key, list | tuple | set):
            raise InvalidInputError(
                "set_output takes a key and a value; to set the whole output: save(output_value=…)"
            )
        elif key is not None:
            values = {str(key): value, **values}
        self._call("execution.set_output", {"values": to_json(values, "output")})

    # answering the caller of a webhook

    def webhook_response(
        self,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        json: Any = NotSet,
        text: str | None = None,
        html: str | None = None,
        bytes: bytes | None = None,
        end: bool = True,
    ) -> None:
        """Will shape the answer to the caller of the webhook, with one body at most, and end in success.

        With `end=False` the caller gets it now and this execution goes on.
        """
        encoded = None if bytes is None else b64encode(bytes).decode("ascii")
        bodies = {"text": text, "html": html, "base64": encoded}
        answer: dict[str, Any] = {name: body for name, body in bodies.items() if body is not None}
        if json is not NotSet:
            answer["json"] = json
        self.set_output("webhook_response", {"status": status, "headers": headers or {}, **answer})
        if end:
            self.success()

    def webhook_html_response(self, html: str) -> NoReturn:
        """Will answer the caller of the webhook with this HTML and end in success."""
        self.webhook_response(html=html, end=False)
        self.success()

    # asking

    def _call(self, name: str, args: dict[str, Any]) -> Any:
        try:
            return self._system._channel.call(name, args)
        except DependencyFailedError as error:
            if row := error.data.get("execution"):
                error.execution = self._known_execution(row)
            raise

    def _known_execution(self, row: dict[str, Any]) -> Execution:
        return self if row["id"] == self._select and self._by == "id" else Execution.known(self._system, row)

    def _must_be_own(self, verb: str) -> None:
        if not self._is_own:
            raise EngineException(f"only `this` can {verb}, not another execution")


def _flat(executions: Any) -> list[Any]:
    flat: list[Any] = []
    for item in executions:
        flat += _flat(item) if isinstance(item, (list, tuple, set)) else [item]
    return flat


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidInputError(f"{value!r} is not a time")
    return float(value)


def _seconds(value: Any) -> float | None:
    return None if value is None else max(_number(value), 0.0)


def _message(message: object) -> str:
    return "" if message is None else clean_text(message)
