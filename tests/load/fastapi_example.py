"""Flows (ask for a code, log in, log out) on examples/fastapi with Redis, so many at once.

    scripts/services.py run --only redis -- .venv/bin/python tests/load/fastapi_example.py

Prints requests a second and the 50th and 99th percentile; any answer but 200 ends it with status 1.
No part of `make test`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import tempfile
import time
import uuid
from pathlib import Path

import httpx

CHECKOUT = Path(__file__).parents[2]
API = "/api/v1/users"
START_SECONDS = 30


async def main(flows: int, at_once: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        server = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "accounts",
            cwd=CHECKOUT / "examples" / "fastapi",
            env=environment(port, folder),
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await asyncio.wait_for(listening(port, server), START_SECONDS)
            return await load(f"http://127.0.0.1:{port}{API}", flows, at_once)
        finally:
            if server.returncode is None:
                server.terminate()
                await server.wait()


async def load(base: str, flows: int, at_once: int) -> int:
    took: list[float] = []
    failed: list[str] = []
    waiting = iter(range(flows))

    async def browser() -> None:
        async def post(path: str, body: dict[str, str] | None = None) -> dict[str, str]:
            began = time.perf_counter()
            answer = await client.post(base + path, json=body)
            took.append(time.perf_counter() - began)
            if answer.status_code != 200:
                failed.append(f"{path}: {answer.status_code} {answer.text}")
            return answer.json()

        async with httpx.AsyncClient(timeout=10) as client:
            for flow in waiting:
                # An address each, which only a proxy that is trusted can say.
                address = f"10.{flow // 65536}.{flow // 256 % 256}.{flow % 256}"
                client.headers["x-forwarded-for"] = address
                email = {"email": f"user{flow}@example.com"}
                sent = await post("/otp/request", email)
                if "otp" in sent:
                    await post("/otp/verify", {**email, "otp": sent["otp"]})
                    await post("/logout")

    began = time.perf_counter()
    await asyncio.gather(*(browser() for _ in range(at_once)))
    seconds = time.perf_counter() - began
    took.sort()
    print(
        f"fastapi + redis: {len(took)} requests, {at_once} at once, {len(took) / seconds:.0f}/s,"
        f" p50 {took[len(took) // 2] * 1000:.1f} ms, p99 {took[len(took) * 99 // 100] * 1000:.1f} ms,"
        f" {len(failed)} failed"
    )
    for line in failed[:5]:
        print(line, file=sys.stderr)
    return 1 if failed else 0


def environment(port: int, folder: str) -> dict[str, str]:
    # An app of this run's own in the Redis that is there.
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "DATABASE_URL": f"sqlite:///{folder}/accounts.db",
        "REDIS_URL": os.environ["ONCECODE_TEST_REDIS"],
        "ONCECODE_SECRET": uuid.uuid4().hex * 2,
        "ONCECODE_MODE": "development",
        "TRUSTED_PROXIES": "127.0.0.1",
        "PORT": str(port),
    }


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def listening(port: int, server: asyncio.subprocess.Process) -> None:
    while True:
        if server.returncode is not None:
            raise RuntimeError(f"the example ended with {server.returncode}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flows", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=32)
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.flows, given.at_once)))
