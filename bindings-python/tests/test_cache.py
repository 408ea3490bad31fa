"""What Python adds to `once.cache` and `once.totp`."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pyotp
import pytest

import oncecode
from oncecode import blocking


@pytest.fixture
async def once(options):
    async with await oncecode.Oncecode.open("memory:", **options) as once:
        yield once


@pytest.fixture
def sync(options):
    with blocking.Oncecode.open("memory:", **options) as once:
        yield once


async def test_of_many_that_miss_one_loads(once):
    loads = []

    async def load():
        loads.append(1)
        await asyncio.sleep(0)
        return {"name": "Ann"}

    users = await asyncio.gather(*(once.cache.get_or_load("u", load) for _ in range(30)))
    assert loads == [1]
    assert users == [{"name": "Ann"}] * 30
    entry = await once.cache.get("u")
    assert abs(entry.cached_at - datetime.now(timezone.utc)) < timedelta(minutes=1)
    assert entry.cache_version == 1


async def test_a_load_that_raises_passes_to_the_next(once):
    async def failing():
        raise KeyError

    async def no_json():
        return object()

    async def nothing():
        return None

    with pytest.raises(KeyError):
        await once.cache.get_or_load("u", failing)
    with pytest.raises(oncecode.InvalidArgument):
        await once.cache.get_or_load("u", no_json)
    assert await once.cache.get_or_load("u", nothing) is None
    assert (await once.cache.get("u")).value is None


async def test_a_cancelled_load_passes_to_the_next(once):
    begun = asyncio.Event()

    async def forever():
        begun.set()
        await asyncio.Event().wait()

    async def quick():
        return "there"

    task = asyncio.create_task(once.cache.get_or_load("u", forever))
    await begun.wait()
    other = asyncio.create_task(once.cache.get_or_load("u", quick))
    task.cancel()
    assert await other == "there"


async def test_what_was_loaded_before_an_invalidation_is_not_stored_after_it(once):
    async def load():
        await once.cache.invalidate("u")
        return "old"

    assert await once.cache.get_or_load("u", load) == "old"
    assert await once.cache.get("u") is None


def test_the_blocking_twin_does_the_same(sync):
    assert sync.cache.get_or_load("u", lambda: [1]) == [1]
    assert sync.cache.get_or_load("u", lambda: [2]) == [1]
    assert sync.cache.invalidate("u")
    sync.cache.set("u", 3, ttl_seconds=60)
    assert sync.cache.get("u").value == 3
    made = sync.totp.enrol(issuer="Acme", account="ann")
    code = sync.totp.code(secret=made.secret)
    assert sync.totp.verify(user="ann", secret=made.secret, code=code).step > 0


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "SHA512"])
@pytest.mark.parametrize("digits", [6, 7, 8])
async def test_pyotp_agrees(once, algorithm, digits):
    otp = {"algorithm": algorithm, "digits": digits, "period_seconds": 45}
    made = once.totp.enrol(issuer="Acme & Co", account="ann+1@example.com", **otp)
    theirs = pyotp.parse_uri(made.uri)
    assert (theirs.secret, theirs.issuer) == (made.secret, "Acme & Co")
    for seconds in (0, 59, 1_111_111_109, 20_000_000_000):
        at = datetime.fromtimestamp(seconds, timezone.utc)
        code = theirs.at(at)
        assert once.totp.code(secret=made.secret, at=at, **otp) == code
        assert once.totp.check(secret=made.secret, code=code, at=at, **otp) == seconds // 45
    ours = once.totp.code(secret=made.secret, **otp)
    assert theirs.verify(ours, valid_window=1)
    await once.totp.verify(user="ann", secret=made.secret, code=theirs.now(), **otp)


async def test_a_recovery_code_is_accepted_once(once):
    made = once.totp.recovery_codes(user="ann")
    assert len(made.codes) == len(made.hashes) == 10
    arguments = {"user": "ann", "code": made.codes[1].lower(), "hashes": made.hashes}
    assert await once.totp.verify_recovery(**arguments) == made.hashes[1]
    with pytest.raises(oncecode.CodeNotFound):
        await once.totp.verify_recovery(**arguments)


async def test_pictures(once):
    assert once.totp.qr_svg("otpauth://x").startswith("<svg ")
    assert once.totp.qr_png("otpauth://x", scale=3).startswith(b"\x89PNG")


@pytest.mark.parametrize("bad", [None, 7, b"x", "\ud83d"])
async def test_what_is_no_secret_is_refused_by_name(once, bad):
    with pytest.raises(oncecode.InvalidArgument, match="secret"):
        once.totp.code(secret=bad)
    with pytest.raises(oncecode.InvalidArgument, match="secret"):
        await once.totp.verify(user="ann", secret=bad, code="123456")
