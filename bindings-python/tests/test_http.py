"""`tests/cases/http/*.json` against FastAPI, by requests over a socket."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from http_app import World, app_of, lifespan, served

FOLDER = Path(__file__).parents[2] / "tests" / "cases" / "http"
CASES = [
    pytest.param(case, id=f"{file.stem}: {case['name']}")
    for file in sorted(FOLDER.glob("*.json"))
    for case in json.loads(file.read_text("utf-8"))
]


def test_the_cases_are_all_there():
    assert len(CASES) >= 80


@pytest.mark.parametrize("case", CASES)
async def test_a_case_holds(case):
    world = World()
    once = lifespan(world, **case.get("options", {}))
    async with served(app_of(once, case.get("router", {}), world)) as port:
        for at, step in enumerate(case["steps"]):
            jar = {} if step.get("anonymous") else world.jar
            status, headers, body = await ask(port, filled(step["request"], world), jar)
            request = step["request"]
            place = f"step {at}: {request['method']} {request['path']}"
            assert status == step["status"], f"{place}: {body}"
            wanted = filled(step, world)
            for name, value in wanted.get("headers", {}).items():
                assert matches(headers.get(name), value), f"{place}: {name} is {headers.get(name)}"
            if "body" in step:
                compare(body, wanted["body"], step.get("exactly", False), place)
            if "save" in step:
                world.saved[step["save"]] = body


async def ask(port: int, request: dict, jar: dict) -> tuple[int, dict, Any]:
    """A request by hand, for any headers and bodies."""
    raw = request.get("raw")
    if "bytes" in request:
        raw = '{"phoneNumber":"' + "1" * (request["bytes"] - 18) + '"}'
    elif "body" in request:
        raw = json.dumps(request["body"])
    headers = {"host": "localhost", "connection": "close"}
    if raw is not None:
        headers |= {"content-type": "application/json", "content-length": str(len(raw.encode()))}
    elif request["method"] == "POST":
        headers["content-length"] = "0"
    if jar:
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
    headers |= request.get("headers", {})
    lines = [f"{request['method']} {request['path']} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    sending = asyncio.create_task(_send(writer, (raw or "").encode()))
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split()[1])
    found: dict[str, str] = {}
    for line in filter(None, head[1:]):
        name, _, value = line.partition(": ")
        found[name.lower()] = value if name not in found else f"{found[name]}\n{value}"
        if name.lower() == "set-cookie":
            keep(jar, value)
    length = int(found.get("content-length", 0))
    body = await reader.readexactly(length)
    sending.cancel()
    writer.close()
    is_json = "json" in found.get("content-type", "")
    return status, found, json.loads(body) if is_json else body.decode()


async def _send(writer: asyncio.StreamWriter, body: bytes) -> None:
    # A server may answer, and hang up, before it has read all of a large body.
    try:
        writer.write(body)
        await writer.drain()
    except ConnectionError:
        pass


def keep(jar: dict, cookie: str) -> None:
    name, _, value = cookie.partition(";")[0].partition("=")
    jar.pop(name, None)
    if "Max-Age=0" not in cookie:
        jar[name] = value


def compare(actual: Any, expected: dict, exactly: bool, place: str) -> None:
    for name, wanted in expected.items():
        found = actual.get(name)
        if isinstance(wanted, dict) and isinstance(found, dict):
            compare(found, wanted, exactly, f"{place}.{name}")
        else:
            assert matches(found, wanted), f"{place}: {name} is {found!r}, not {wanted!r}"
    if exactly:
        assert set(actual) == {name for name, value in expected.items() if value is not None}, place


def matches(actual: Any, wanted: Any) -> bool:
    if isinstance(wanted, str) and wanted.startswith("~"):
        return isinstance(actual, str) and re.fullmatch(wanted[1:], actual) is not None
    if isinstance(wanted, list) and isinstance(actual, (int, float)):
        return wanted[0] <= actual <= wanted[1]
    return actual == wanted and type(actual) is type(wanted)


def filled(value: Any, world: World) -> Any:
    """`value` with every `{name.field|filter}` replaced."""
    if isinstance(value, dict):
        return {name: filled(item, world) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, world) for item in value]
    if not isinstance(value, str):
        return value

    def fill(found: re.Match) -> str:
        name, field, chosen = found.groups()
        known = world.saved.get(name, {}).get(field)
        if known is None:
            return found[0]
        return known if chosen is None else FILTERS[chosen](known)

    return re.sub(r"\{(\w+)\.(\w+)(?:\|(\w+))?\}", fill, value)


FILTERS = {
    "wrong": lambda code: re.sub(r"[0-9]", lambda digit: str((int(digit[0]) + 1) % 10), code),
    "spaced": lambda code: f"{code[:3]} {code[3:]}",
    "altered": lambda token: token[:-12] + ("B" if token[-12] == "A" else "A") + token[-11:],
}
