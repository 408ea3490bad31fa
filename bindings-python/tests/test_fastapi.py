"""What the HTTP cases cannot say of `oncecode.fastapi` and `oncecode.asgi`."""

import asyncio
import json
from contextlib import suppress
from typing import Annotated

import httpx
import pytest
import schemathesis
from fastapi import Depends, FastAPI
from http_app import World, app_of, lifespan, served
from hypothesis import HealthCheck, given, settings
from pydantic import BaseModel

import oncecode
from conftest import server
from oncecode import asgi
from oncecode.fastapi import (
    DevInbox,
    Idempotent,
    Lifespan,
    install,
    rate_limit,
    require_session,
    router,
)

PHONE = {"phoneNumber": "+15551234567"}
SECRET = "a secret of thirty-two bytes or more"
DEVELOPMENT = {"mode": "development", "sender": "none:"}


async def get(port: int, path: str, **more) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        return await client.request(more.pop("method", "GET"), path, **more)


async def post(port: int, path: str, body: object, **more) -> httpx.Response:
    return await get(port, path, method="POST", json=body, **more)


def bare(once: Lifespan, **options) -> FastAPI:
    app = FastAPI(lifespan=once)
    install(app, once)
    app.include_router(router(once, **options))
    return app


@pytest.mark.parametrize(
    "options",
    [
        {"login": "cookie"},
        {"purposes": []},
        {"fields": ["phoneNumber"]},
        {"links": {"send": print}},
        {"links": {"url": "https://app.example", "send": "smtp"}},
    ],
)
def test_options_that_cannot_work_are_refused_when_the_router_is_made(options):
    with pytest.raises(oncecode.Config):
        router(Lifespan("memory:", **DEVELOPMENT), **options)


class Shown(BaseModel):
    id: int
    name: str


class Row:
    def __init__(self) -> None:
        self.id = 1
        self.password_hash = "secret"


@pytest.mark.parametrize(
    ("user", "status", "shown"),
    [
        (Shown(id=7, name="Ann"), 200, {"id": 7, "name": "Ann"}),
        ({"id": "7", "nick": None}, 200, {"id": "7", "nick": None}),
        (Row(), 500, None),
        ({"name": "Ann"}, 500, None),
        ({"id": True}, 500, None),
    ],
)
async def test_a_user_is_what_the_app_says_may_be_shown(user, status, shown):
    async with served(bare(Lifespan("memory:", **DEVELOPMENT), on_verified=lambda _: user)) as port:
        sent = (await post(port, "/otp/request", PHONE)).json()
        answer = await post(port, "/otp/verify", {**PHONE, "otp": sent["otp"]})
        assert answer.status_code == status, answer.text
        assert answer.json().get("user") == shown
        assert "secret" not in answer.text
        assert ("set-cookie" in answer.headers) == (status == 200)


async def test_a_router_on_an_open_client_works_as_well():
    async with await oncecode.Oncecode.open("memory:", **DEVELOPMENT) as once:
        app = FastAPI()
        app.include_router(router(once), prefix="/auth")
        transport = httpx.ASGITransport(app, client=("testclient", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            sent = (await client.post("/auth/otp/request", json=PHONE)).json()
            done = await client.post("/auth/otp/verify", json={**PHONE, "otp": sent["otp"]})
            assert done.status_code == 200


def test_a_client_is_there_when_the_app_has_started_and_not_before():
    once = Lifespan("memory:", **DEVELOPMENT)
    with pytest.raises(oncecode.Closed):
        _ = once.client


async def test_the_environment_can_name_the_store(monkeypatch):
    monkeypatch.setenv("ONCECODE_STORE", "memory:")
    monkeypatch.setenv("ONCECODE_MODE", "development")
    once = Lifespan.from_env(sender=lambda _: None)
    app = FastAPI(lifespan=once)
    async with served(app):
        assert app.state.oncecode is once.client
        assert once.client.mode == "development"


POSTS = (
    "/otp/request",
    "/otp/resend",
    "/otp/verify",
    "/signup/send-otp",
    "/signup/verify-otp",
    "/email/request",
    "/email/verify",
    "/logout",
)
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=x", "text/plain"])
async def test_no_form_of_another_site_is_taken_by_any_endpoint(path, kind):
    links = {"url": "https://a.example", "send": lambda **_: None, "login": True}
    app = bare(Lifespan("memory:", **DEVELOPMENT), user_types=["live"], links=links)
    async with served(app) as port:
        body = b"phoneNumber=%2B15551234567&otp=123456"
        refused = await get(port, path, method="POST", content=body, headers={"content-type": kind})
        assert (refused.status_code, refused.json()["code"]) == (415, "INVALID_ARGUMENT")
        assert refused.headers["cache-control"] == "no-store"
        assert "set-cookie" not in refused.headers


async def test_a_body_that_does_not_say_how_long_it_is_is_cut_off_as_well():
    taken = 0

    async def endless():
        nonlocal taken
        while taken < 10_000_000:
            taken += 65_536
            yield b" " * 65_536

    app = bare(Lifespan("memory:", **DEVELOPMENT))
    # In this process, so that what the app has read can be counted.
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            headers = {"content-type": "application/json", "transfer-encoding": "chunked"}
            refused = await client.post("/otp/request", content=endless(), headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (413, "INVALID_ARGUMENT")
    assert taken <= 2 * 65_536


async def test_the_app_is_asked_for_a_user_only_when_the_address_is_proven():
    asked = []

    def user(proven) -> dict:
        asked.append(proven.identifier)
        return {"id": 1}

    links = {"url": "https://a.example", "send": lambda **_: None}
    once = Lifespan("memory:", **DEVELOPMENT)
    app = bare(once, on_verified=user, load_user=asked.append, user_types=["live"], links=links)
    async with served(app) as port:
        sent = (await post(port, "/otp/request", PHONE)).json()
        await post(port, "/otp/resend", PHONE)
        await post(port, "/signup/send-otp", {"email": "ann@example.com", "user_type": "live"})
        await post(port, "/email/request", {"email": "ann@example.com"})
        wrong = f"{(int(sent['otp']) + 1) % 1_000_000:06}"
        assert (await post(port, "/otp/verify", {**PHONE, "otp": wrong})).status_code == 401
        assert asked == []
        assert (await post(port, "/otp/verify", {**PHONE, "otp": sent["otp"]})).status_code == 200
        assert asked == [PHONE["phoneNumber"]]


async def test_a_provider_that_never_answers_is_a_502_in_time_and_costs_nothing():
    async def hangs(_: oncecode.Message) -> None:
        await asyncio.Event().wait()

    once = Lifespan("memory:", mode="development", sender=hangs, send_deadline_ms=50)
    async with served(bare(once)) as port:
        # One more than may be issued in a quarter of an hour.
        for _ in range(4):
            failed = await post(port, "/otp/request", PHONE)
            assert (failed.status_code, failed.json()["code"]) == (502, "DELIVERY_FAILED")
            assert failed.headers["cache-control"] == "no-store"


class Freezable:
    """A way to a server that stops passing anything on."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._frozen = asyncio.Event()
        self._pipes: set = set()
        self._writers: list = []

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_server(self._connected, "127.0.0.1", 0)

    def freeze(self) -> None:
        self._frozen.set()
        for pipe in self._pipes:
            pipe.cancel()

    async def _connected(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self._writers.append(back)
        if self._frozen.is_set():
            return
        far, forth = await asyncio.open_connection(*self._target)
        self._writers.append(forth)
        for source, sink in ((near, forth), (far, back)):
            self._pipes.add(asyncio.create_task(self._pipe(source, sink)))

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)


async def test_a_store_that_stops_answering_is_a_503_in_time_and_nobody_passes(options):
    url = httpx.URL(server("redis"))
    proxy = Freezable(url.host, url.port)
    through = await proxy.serve()
    port = through.sockets[0].getsockname()[1]
    limits = {
        "shut": {"max": 5, "window_seconds": 60, "outage": "closed"},
        "open": {"max": 1, "window_seconds": 60, "outage": "open"},
    }
    once = Lifespan(
        str(url.copy_with(host="127.0.0.1", port=port)), **options, limits=limits, deadline_ms=250
    )
    app = bare(once)

    @app.get("/me")
    async def me(session: Annotated[oncecode.Session, Depends(require_session(once))]) -> None: ...

    @app.get("/shut", dependencies=[Depends(rate_limit(once, "shut"))])
    async def shut() -> None: ...

    @app.get("/open", dependencies=[Depends(rate_limit(once, "open"))])
    async def opened() -> None: ...

    token = {"authorization": f"Bearer {'A' * 86}"}
    async with served(app) as port:
        sent = (await post(port, "/otp/request", PHONE)).json()
        proxy.freeze()
        began = asyncio.get_running_loop().time()
        answers = [
            await get(port, "/me", headers=token),
            await get(port, "/shut"),
            await post(port, "/otp/verify", {**PHONE, "otp": sent["otp"]}),
            await post(port, "/otp/request", {"phoneNumber": "+15551234568"}),
            await get(port, "/logout", method="POST", headers=token),
        ]
        assert asyncio.get_running_loop().time() - began < 5
        for answer in answers:
            assert answer.status_code == 503, answer.text
            assert answer.json()["code"] == "STORE_UNAVAILABLE"
            assert answer.json()["success"] is False
            assert "set-cookie" not in answer.headers
        assert (await get(port, "/open")).status_code == 200
    await proxy.close()
    through.close()
    await through.wait_closed()


async def test_the_inbox_shows_what_would_have_gone_out():
    inbox = DevInbox(keep=2)
    once = Lifespan("memory:", mode="development", sender=inbox.send, app_name="<script>")
    app = bare(once, links={"url": "https://app.example/v", "send": inbox.send_link})
    app.mount("/__oncecode", inbox.app(once))
    async with served(app) as port:
        assert "Nothing was sent yet" in (await get(port, "/__oncecode/")).text
        for number in range(3):
            to = f"+1555123456{number}"
            assert (await post(port, "/otp/request", {"phone": to})).status_code == 200
        messages = (await get(port, "/__oncecode/messages.json")).json()
        assert [message["to"] for message in messages] == ["+15551234562", "+15551234561"]
        page = await get(port, "/__oncecode/")
        assert f'<p class="code">{messages[0]["code"]}</p>' in page.text
        assert "<script" not in page.text
        assert page.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        await post(port, "/email/request", {"email": "ann@example.com"})
        assert '<a href="https://app.example/v?token=' in (await get(port, "/__oncecode/")).text
        for host, status in [
            ("evil.example", 404),
            ("localhost.evil.example", 404),
            ("localhost:1", 200),
        ]:
            found = await get(port, "/__oncecode/messages.json", headers={"host": host})
            assert found.status_code == status, host


async def test_the_inbox_does_not_open_in_production():
    inbox = DevInbox()
    options = {"secret": SECRET, "sender": inbox.send}
    async with await oncecode.Oncecode.open("memory:", **options) as once:
        with pytest.raises(oncecode.Config):
            inbox.app(once)
    lazy = Lifespan("memory:", **options)
    app = bare(lazy)
    app.mount("/__oncecode", inbox.app(lazy))
    async with served(app) as port:
        await post(port, "/otp/request", PHONE)
        answer = await get(port, "/__oncecode/messages.json")
        assert answer.status_code == 500
        assert inbox.messages[0].code not in answer.text


async def test_of_many_requests_with_one_key_one_runs():
    once = Lifespan("memory:", **DEVELOPMENT)
    app = FastAPI(lifespan=once)
    app.add_middleware(Idempotent, once=once, scope=lambda _: "a")
    begun, gate, runs = asyncio.Event(), asyncio.Event(), []

    @app.post("/pay")
    async def pay() -> str:
        runs.append(1)
        begun.set()
        await gate.wait()
        return "done"

    async with served(app) as port:
        key = {"idempotency-key": "k"}
        first = asyncio.create_task(post(port, "/pay", {}, headers=key))
        await begun.wait()
        others = await asyncio.gather(*(post(port, "/pay", {}, headers=key) for _ in range(5)))
        assert {answer.status_code for answer in others} == {409}
        gate.set()
        assert (await first).json() == "done"
        again = await post(port, "/pay", {}, headers=key)
        assert (again.json(), again.headers["idempotency-replayed"]) == ("done", "true")
        assert len(runs) == 1


async def test_the_middleware_needs_no_framework():
    async def app(scope, receive, send) -> None:
        if scope["path"] == "/bug":
            raise RuntimeError("secret detail")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})

    limits = {"small": {"max": 1, "window_seconds": 60}}
    async with await oncecode.Oncecode.open("memory:", **DEVELOPMENT, limits=limits) as once:
        whole = asgi.Errors(
            asgi.RateLimit(asgi.Idempotent(app, once, lambda _: "a"), once, "small"), once
        )
        transport = httpx.ASGITransport(whole)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            first = await client.get("/")
            assert (first.status_code, first.text) == (200, "fine")
            assert first.headers["ratelimit-policy"] == '"small";q=1;w=60'
            refused = await client.get("/")
            assert (refused.status_code, refused.json()["code"]) == (429, "RATE_LIMITED")
        failing = httpx.ASGITransport(asgi.Errors(app, once))
        async with httpx.AsyncClient(transport=failing, base_url="http://t") as client:
            assert (await client.get("/bug")).json()["message"] == "secret detail"


def test_no_request_that_the_description_allows_is_answered_with_500():
    world = World()
    once = lifespan(world)
    options = {"userTypes": ["live"], "links": {"url": "https://a.example", "send": "records"}}
    app = app_of(once, options, world)
    document = app.openapi()
    # The router's own: the others are the cases' app's.
    document["paths"] = {path: said for path, said in document["paths"].items() if "/auth/" in path}
    assert len(document["paths"]) == 9
    app.openapi = lambda: document
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    tried = set()
    for operation in schema.get_all_operations():
        fuzz(operation.ok().as_strategy(), tried)
    assert len(tried) == 10


def fuzz(cases, tried: set) -> None:
    @settings(
        max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=cases)
    def run(case) -> None:
        tried.add((case.method, case.path))
        answer = case.call()
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            said = json.loads(answer.text)
            assert said["success"] is False
            assert said["code"]

    run()
