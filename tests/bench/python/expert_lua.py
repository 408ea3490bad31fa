"""What an expert would write: one script for issue and one for verify, only a keyed digest at rest."""

import hmac
import secrets
from pathlib import Path

import redis.asyncio
from harness import check, contest

KEY = secrets.token_bytes(32)
LUA = Path(__file__).parent.parent / "lua"


def digest(phone, code):
    return hmac.digest(KEY, f"login:{phone}:{code}".encode(), "sha256").hex()


async def connect(url):
    client = redis.asyncio.from_url(url, decode_responses=True)
    issue_code = client.register_script((LUA / "issue.lua").read_text())
    verify_code = client.register_script((LUA / "verify.lua").read_text())

    async def flow(phone):
        key, code = f"otp:{{{phone}}}", f"{secrets.randbelow(10**6):06}"
        issued, _ = await issue_code(
            [key], [digest(phone, code), 600_000, 60_000, 900_000, 3]
        )
        check(issued == "ok", issued)
        verified, _ = await verify_code([key], [digest(phone, code), 5])
        check(verified == "ok", verified)

    return flow, client.aclose


contest(connect)
