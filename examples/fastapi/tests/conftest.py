from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from accounts.app import create_app
from accounts.settings import Settings

API = "/api/v1/users"


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The `DATABASE_URL` of an empty database of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/accounts.db"
        return
    if "ONCECODE_TEST_POSTGRES" not in os.environ:
        pytest.fail("ONCECODE_TEST_POSTGRES must name a PostgreSQL server: postgresql://...")
    server, name = urlsplit(os.environ["ONCECODE_TEST_POSTGRES"]), f"accounts_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server.geturl())
    await connection.execute(f"CREATE DATABASE {name}")
    yield server._replace(path=f"/{name}").geturl()
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture
def settings(database: str) -> Settings:
    """As the environment of somebody who develops on that database would say it."""
    return Settings.from_env(
        {"DATABASE_URL": database, "ONCECODE_STORE": "memory:", "ONCECODE_MODE": "development"}
    )


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Where the app is served."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, lifespan="on", proxy_headers=False)
    )
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done()
        await asyncio.sleep(0)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(app) as address, httpx.AsyncClient(base_url=address) as client:
        yield client
