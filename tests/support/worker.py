"""Calls the Python package as it is told: one JSON object a line, in and out.

`worker.py python` uses the asyncio client, `worker.py blocking` its twin in threads.
workers.py says what the lines are.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Lock
from typing import Any

import oncecode

LONGEST_LINE = 1 << 20
RESULT_FIELDS = {
    oncecode.Sent: ("id", "expires_at", "resend_at", "attempts_left", "code"),
    oncecode.Peek: ("id", "expires_at", "resend_at", "attempts_left"),
    oncecode.Reply: ("value", "replayed"),
    oncecode.Verified: ("identifier", "purpose", "data"),
    oncecode.NewSession: ("token",),
    oncecode.Session: ("id", "user_id"),
}
ERROR_FIELDS = ("code", "status", "retryable", "retry_after_seconds", "attempts_left")

tasks: set[asyncio.Task[None]] = set()
writing = Lock()


class Worker:
    def __init__(self, *, blocking: bool) -> None:
        self.blocking = blocking
        self.clients: dict[int, Any] = {}
        self.held: list[dict[str, Any]] = []
        self.leases: dict[str, Any] = {}

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(64))
        lines = asyncio.StreamReader(LONGEST_LINE)
        protocol = asyncio.StreamReaderProtocol(lines)
        await loop.connect_read_pipe(lambda: protocol, sys.stdin)
        async for line in lines:
            request = json.loads(line)
            if request.get("held"):
                self.held.append(request)
            else:
                self.start(iter([request]))

    def start(self, requests: Iterator[dict[str, Any]]) -> None:
        task = asyncio.create_task(self.answer_each(requests))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def answer_each(self, requests: Iterator[dict[str, Any]]) -> None:
        for request in requests:
            said: dict[str, Any] = {"call": request["call"]}
            try:
                said["value"] = in_json(await self.perform(request))
            except Exception as error:  # noqa: BLE001
                said["error"] = shown(error)
            write(sys.stdout.fileno(), said)

    async def perform(self, request: dict[str, Any]) -> object:
        number, given = request.get("client", 0), request.get("with", {})
        match request["do"]:
            case "open":
                self.clients[number] = await self.open(**given)
            case "close":
                await self.call(self.clients.pop(number).close)
            case "ready":
                pass
            case "go":
                self.go(given["width"])
            case method:
                return await self.use(self.clients[number], method, given)
        return None

    async def use(self, once: Any, what: str, given: dict[str, Any]) -> object:
        """`verify` is a method of `codes`, `locks.acquire` one of `locks`; what is not
        named is in `args`."""
        service, method = what.split(".") if "." in what else ("codes", what)
        args = given.pop("args", [])
        given = {snake_case(name): value for name, value in given.items()}
        if what == "locks.remaining":
            return self.leases[given["token"]].remaining_seconds
        if what == "idempotency.run":
            file = given.pop("file")
            work = working if self.blocking else working_async
            return await self.call(once.idempotency.run, lambda _: work(file), **given)
        if what == "cache.getOrLoad":
            file = given.pop("file")
            load = loading if self.blocking else loading_async
            given["load"] = lambda: load(file)
            return await self.call(once.cache.get_or_load, **given)
        result = await self.call(
            getattr(getattr(once, service), snake_case(method)), *args, **given
        )
        if what == "limits.hit":
            return {"remaining": result.remaining}
        if not hasattr(result, "fence"):
            return result
        self.leases[result.token] = result
        return {"token": result.token, "fence": result.fence, "replayed": False}

    async def open(
        self, url: str, options: dict[str, Any], messages: str | None = None
    ) -> Any:
        options = in_python(options)
        if messages is not None:
            options["sender"] = appending_to(messages)
        client = oncecode.blocking.Oncecode if self.blocking else oncecode.Oncecode
        return await self.call(client.open, url, **options)

    async def call(self, method: Callable[..., Any], *given: Any, **named: Any) -> Any:
        if self.blocking:
            return await asyncio.to_thread(method, *given, **named)
        return await method(*given, **named)

    def go(self, width: int) -> None:
        """Starts what was held: `width` calls at once, each followed by the next."""
        requests = iter(self.held)
        self.held = []
        for _ in range(width):
            self.start(requests)


def working(file: str) -> None:
    with open(file, "a") as log:
        log.write("worked\n")


def loading(file: str) -> dict[str, bool]:
    working(file)
    return {"loaded": True}


async def loading_async(file: str) -> dict[str, bool]:
    return loading(file)


async def working_async(file: str) -> None:
    working(file)


def appending_to(path: str) -> Callable[[oncecode.Message], None]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def send(message: oncecode.Message) -> None:
        write(file, {"to": message.to, "code": message.code, "id": message.id})

    return send


def write(file: int, said: dict[str, Any]) -> None:
    with writing:
        rest = (json.dumps(said) + "\n").encode()
        while rest:
            rest = rest[os.write(file, rest) :]


def in_json(result: object) -> object:
    fields = RESULT_FIELDS.get(type(result))
    if fields is None:
        return result
    shown = {camel_case(name): getattr(result, name) for name in fields}
    dates = {k: v.isoformat() for k, v in shown.items() if isinstance(v, datetime)}
    return {**shown, **dates}


def shown(error: Exception) -> dict[str, Any]:
    if not isinstance(error, oncecode.OncecodeError):
        return {"code": "NOT_ONCECODE", "message": traceback.format_exc()}
    fields = {camel_case(name): getattr(error, name) for name in ERROR_FIELDS}
    return {**fields, "message": str(error)}


def in_python(options: Any) -> Any:
    """Options with their names as Python spells them."""
    if not isinstance(options, dict):
        return options
    return {snake_case(name): in_python(value) for name, value in options.items()}


def snake_case(name: str) -> str:
    return re.sub(r"[A-Z]", lambda capital: "_" + capital[0].lower(), name)


def camel_case(name: str) -> str:
    return re.sub(r"_([a-z])", lambda letter: letter[1].upper(), name)


if __name__ == "__main__":
    asyncio.run(Worker(blocking=sys.argv[1] == "blocking").serve())
