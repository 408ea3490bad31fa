"""The app of the HTTP cases, as their README describes it, and a server for it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, Optional

import uvicorn
from fastapi import Body, Depends, FastAPI, Request, Response

import oncecode
from oncecode.asgi.messages import header
from oncecode.fastapi import (
    Idempotent,
    Lifespan,
    ProvenAddress,
    install,
    optional_session,
    rate_limit,
    require_session,
    require_token,
    router,
)


class World:
    """What steps of a case know."""

    def __init__(self) -> None:
        self.saved: dict[str, Any] = {}
        self.jar: dict[str, str] = {}


def lifespan(world: World, sender: str = "none:", **options: Any) -> Lifespan:
    def records(message: oncecode.Message) -> None:
        world.saved["message"] = {"code": message.code, "to": message.to}
        if message.link:
            token = re.search(r"[?&]token=([^&]+)", message.link)
            world.saved["link"] = {
                "to": message.to,
                "url": message.link,
                "token": token and token[1],
            }

    def fails(_: oncecode.Message) -> None:
        raise RuntimeError("the provider is out")

    chosen = {"records": records, "fails": fails}.get(sender, sender)
    given = {"mode": "development", "deadline_ms": 5000, **snake(options)}
    return Lifespan("memory:", sender=chosen, **given)


def app_of(once: Lifespan, options: dict[str, Any], world: World) -> FastAPI:
    app = FastAPI(lifespan=once)
    install(app, once)
    app.include_router(router(once, **router_options(options, world)), prefix="/auth")
    app.add_middleware(
        Idempotent, once=once, scope=lambda scope: header(scope, "x-user") or "nobody"
    )
    runs = 0

    @app.get("/me")
    async def me(session: Annotated[oncecode.Session, Depends(require_session(once))]) -> Any:
        return {"userId": session.user_id}

    @app.get("/maybe")
    async def maybe(
        session: Annotated[Optional[oncecode.Session], Depends(optional_session(once))],
    ) -> Any:
        return {"userId": session.user_id if session else None}

    @app.get("/jwt")
    async def jwt(claims: Annotated[dict, Depends(require_token(once))]) -> Any:
        return {"userId": claims["sub"]}

    @app.get("/limited", dependencies=[Depends(rate_limit(once, "small"))])
    async def limited() -> Any:
        return {"ok": True}

    failures = rate_limit(once, "small", skip_successful=True)

    @app.post("/limited-failures", dependencies=[Depends(failures)])
    async def limited_failures(response: Response, fail: Annotated[bool, Body(embed=True)] = False):
        response.status_code = 418 if fail else 200
        return {"ok": True}

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("secret detail")

    @app.post("/once")
    async def run_once(request: Request, response: Response) -> Any:
        nonlocal runs
        runs += 1
        response.status_code = (await request.json()).get("fail", 200)
        return {"run": runs}

    return app


def router_options(options: dict[str, Any], world: World) -> dict[str, Any]:
    def user(proven: ProvenAddress) -> dict[str, Any]:
        return {
            "id": f"user of {proven.identifier}",
            "by": proven.by,
            "purpose": proven.purpose,
            "data": proven.data,
            "fields": proven.fields,
        }

    async def nobody(_: ProvenAddress) -> None:
        return None

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the database is out")

    async def records(*, to: str, url: str, **_: object) -> None:
        token = re.search(r"[?&]token=([^&]+)", url)
        world.saved["link"] = {"to": to, "url": url, "token": token and token[1]}

    given = snake(options)
    if "on_verified" in given:
        given["on_verified"] = {"user": user, "nobody": nobody, "fails": fails}[
            given["on_verified"]
        ]
    if "links" in given:
        send = {"records": records, "fails": fails}
        given["links"] = {
            name: send[value] if name == "send" else value for name, value in given["links"].items()
        }
    return given


def snake(options: dict[str, Any]) -> dict[str, Any]:
    """The names of options as Python has them; those of the app's own stay."""
    own = {"limits", "purposes"}
    return {
        re.sub("[A-Z]", lambda sign: f"_{sign[0].lower()}", name): (
            snake(value)
            if isinstance(value, dict) and name not in own
            else {limit: snake(rule) for limit, rule in value.items()}
            if isinstance(value, dict)
            else value
        )
        for name, value in options.items()
    }


@asynccontextmanager
async def served(app: Callable) -> AsyncIterator[int]:
    """The port of a server."""
    # Of itself uvicorn believes the X-Forwarded-For of whoever is on its machine: docs/fastapi.md.
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="on", proxy_headers=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.001)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving
