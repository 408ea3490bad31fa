"""The pattern of express-backend-plan.md (OTPService over otp_sessions): one awaited statement after the other."""

import secrets
from datetime import UTC, datetime, timedelta

import asyncpg
from harness import check, contest

TABLE = """CREATE TABLE IF NOT EXISTS otp_sessions_python (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), phone_number text NOT NULL UNIQUE, otp varchar(6) NOT NULL,
    expires_at timestamptz NOT NULL, attempts integer NOT NULL DEFAULT 0, verified boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now())"""
FIND = "SELECT * FROM otp_sessions_python WHERE phone_number = $1"
PUT = """INSERT INTO otp_sessions_python (phone_number, otp, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (phone_number) DO UPDATE SET otp = $2, expires_at = $3, attempts = 0, created_at = now()"""


async def connect(url):
    pool = await asyncpg.create_pool(url)
    await pool.execute(TABLE)

    async def issue(phone):
        now = datetime.now(UTC)
        async with pool.acquire() as db:
            existing = await db.fetchrow(FIND, phone)
            check(
                not existing or now - existing["created_at"] >= timedelta(seconds=60),
                "cooldown",
            )
            otp = str(100000 + secrets.randbelow(899999))
            await db.execute(PUT, phone, otp, now + timedelta(minutes=10))
        return otp

    async def verify(phone, otp):
        async with pool.acquire() as db:
            session = await db.fetchrow(FIND, phone)
            check(
                session and session["expires_at"] > datetime.now(UTC),
                "expired or not found",
            )
            check(session["attempts"] < 5, "too many attempts")
            await db.execute(
                "UPDATE otp_sessions_python SET attempts = attempts + 1 WHERE id = $1",
                session["id"],
            )
            check(session["otp"] == otp, "wrong code")
            await db.execute(
                "DELETE FROM otp_sessions_python WHERE id = $1", session["id"]
            )

    async def flow(phone):
        await verify(phone, await issue(phone))

    return flow, pool.close


contest(connect)
