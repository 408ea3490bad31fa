"""The pattern of redis-memcached-otp.md in redis-py asyncio: one awaited command after the other, the code in clear."""

import secrets

import redis.asyncio
from harness import check, contest


async def connect(url):
    client = redis.asyncio.from_url(url, decode_responses=True)

    async def issue(phone):
        resends = await client.incr(f"resend:{phone}")
        if resends == 1:
            await client.expire(f"resend:{phone}", 300)
        check(resends <= 3, "too many resends")
        code = str(100000 + secrets.randbelow(899999))
        await client.set(f"otp:phone:{phone}", code, ex=600)
        return code

    async def verify(phone, code):
        stored = await client.get(f"otp:phone:{phone}")
        check(stored, "expired or not found")
        attempts = await client.incr(f"attempts:{phone}")
        check(attempts <= 5, "too many attempts")
        check(stored == code, "wrong code")
        await client.delete(f"otp:phone:{phone}", f"attempts:{phone}")

    async def flow(phone):
        await verify(phone, await issue(phone))

    return flow, client.aclose


contest(connect)
