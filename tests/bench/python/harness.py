"""Runs one contestant: `python FILE URL FIRST_PHONE [uvloop]`, a JSON order a line on stdin
({"in_flight": 16, "seconds": 2} or {"in_flight": 1, "flows": 200}), a JSON answer a line on stdout."""

import asyncio
import itertools
import json
import math
import resource
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter

Flow = Callable[[str], Awaitable[None]]
Connect = Callable[[str], Awaitable[tuple[Flow, Callable[[], Awaitable[object]]]]]


def contest(connect: Connect) -> None:
    """`connect(url)` gives `(flow, close)`; `flow(phone)` issues and verifies one code and raises if that fails."""
    url, first, *loop = sys.argv[1:]
    if loop == ["uvloop"]:
        import uvloop

        uvloop.run(serve(connect, url, int(first)))
    else:
        asyncio.run(serve(connect, url, int(first)))


async def serve(connect: Connect, url: str, first: int) -> None:
    phones = (f"+9198{n % 10**8:08}" for n in itertools.count(first))
    flow, close = await connect(url)
    print(json.dumps({"ready": True}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await measure(flow, phones, **json.loads(line))), flush=True)
    await close()


async def measure(
    flow, phones, in_flight: int, seconds: float = math.inf, flows: float = math.inf
) -> dict:
    took: list[float] = []
    started = 0
    cpu_before = cpu_seconds()
    begin = perf_counter()
    deadline = begin + seconds

    async def lane() -> None:
        nonlocal started
        at = perf_counter()
        while at < deadline and started < flows:
            started += 1
            await flow(next(phones))
            end = perf_counter()
            took.append(end - at)
            at = end

    await asyncio.gather(*(lane() for _ in range(in_flight)))

    elapsed = perf_counter() - begin
    cpu = cpu_seconds() - cpu_before
    took.sort()
    return {
        "flows": len(took),
        "per_second": len(took) / elapsed,
        "p50_ms": took[int(0.5 * (len(took) - 1))] * 1e3,
        "p99_ms": took[int(0.99 * (len(took) - 1))] * 1e3,
        "client_us": cpu / len(took) * 1e6,
    }


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def check(fine: object, what: object) -> None:
    if not fine:
        raise RuntimeError(f"the flow failed: {what}")
