"""`services.py REDIS_URL SECONDS ROUNDS`: tokens, limits and sessions beside what people use today, in turns.

Prints JSON: {"what|contestant": [calls a second, a round each]}."""

import asyncio
import json
import sys
from time import perf_counter

import jwt
from limits import RateLimitItemPerHour
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from oncecode import Oncecode

SECRET = "a secret of thirty-two bytes or more!"
PLENTY = {"max": 1_000_000, "window_seconds": 3600}


async def main(url: str, seconds: float, rounds: int) -> None:
    once = await Oncecode.open(
        url,
        secret=SECRET,
        sender=lambda message: None,
        mode="development",
        tokens={"keys": [SECRET]},
        limits={"plenty": PLENTY},
        deadline_ms=5_000,
        key_prefix="bench-services",
    )
    token = await once.tokens.sign(
        {"sub": "user-1", "role": "member", "email_verified": True}
    )
    session = await once.sessions.create(user_id="user-1", device="bench")
    theirs = FixedWindowRateLimiter(
        RedisStorage(f"async+{url}", implementation="redispy")
    )
    item = RateLimitItemPerHour(PLENTY["max"])
    users = [f"user-{n}" for n in range(1000)]
    turn = 0

    def user() -> str:
        nonlocal turn
        turn += 1
        return users[turn % len(users)]

    contests = {
        "HS256 verify|PyJWT": (
            0,
            lambda: jwt.decode(token, SECRET, algorithms=["HS256"]),
        ),
        "HS256 verify|oncecode": (0, lambda: once.tokens.verify_stateless(token)),
        "verify, not revoked|oncecode": (1, lambda: once.tokens.verify(token)),
        "limit hit|limits, async": (16, lambda: theirs.hit(item, user())),
        "limit hit|oncecode": (16, lambda: once.limits.hit("plenty", key=user())),
        "session check|oncecode": (16, lambda: once.sessions.validate(session.token)),
    }
    results: dict[str, list[float]] = {name: [] for name in contests}
    for turn_of in range(-1, rounds):
        for name, (lanes, call) in contests.items():
            duration = seconds if turn_of >= 0 else 0.2
            measured = (
                await in_lanes(lanes, call, duration)
                if lanes
                else repeated(call, duration)
            )
            if turn_of >= 0:  # The first is a warm-up.
                results[name].append(measured)
    print(json.dumps(results))
    await once.close()


def repeated(call, duration: float) -> float:
    begin, calls = perf_counter(), 0
    while perf_counter() - begin < duration:
        for _ in range(100):
            call()
        calls += 100
    return calls / (perf_counter() - begin)


async def in_lanes(lanes: int, call, duration: float) -> float:
    begin, calls = perf_counter(), 0

    async def lane() -> None:
        nonlocal calls
        while perf_counter() - begin < duration:
            await call()
            calls += 1

    await asyncio.gather(*(lane() for _ in range(lanes)))
    return calls / (perf_counter() - begin)


asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
