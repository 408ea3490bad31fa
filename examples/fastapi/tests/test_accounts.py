from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest
from conftest import API, serving
from oncecode.fastapi import ProvenAddress
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from accounts.app import create_app
from accounts.models import DemoUser, User
from accounts.settings import Settings
from accounts.users import Users

EMAIL = "test@example.com"


async def post(browser: httpx.AsyncClient, path: str, **body: object) -> httpx.Response:
    return await browser.post(API + path, json=body)


async def signed_up(browser: httpx.AsyncClient, user_type: str, email: str = EMAIL) -> dict:
    sent = (await post(browser, "/signup/send-otp", email=email, user_type=user_type)).json()
    done = await post(
        browser, "/signup/verify-otp", email=email, user_type=user_type, otp_code=sent["otp"]
    )
    assert done.status_code == 200, done.text
    return done.json()["user"]


async def rows(settings: Settings, kind: type) -> list:
    engine = create_async_engine(settings.database_url)
    async with AsyncSession(engine) as session:
        found = list(await session.scalars(select(kind)))
    await engine.dispose()
    return found


async def insert(settings: Settings, row: object) -> None:
    engine = create_async_engine(settings.database_url)
    async with AsyncSession(engine) as session:
        session.add(row)
        await session.commit()
    await engine.dispose()


async def test_a_new_address_signs_up_and_is_logged_in(browser, settings):
    sent = await post(browser, "/signup/send-otp", email=EMAIL, user_type="live")
    assert sent.json().keys() >= {"success", "message", "otp", "expiresIn", "retryAfter"}
    assert await rows(settings, User) == []
    done = await post(
        browser,
        "/signup/verify-otp",
        email=EMAIL,
        user_type="live",
        otp_code=sent.json()["otp"],
    )
    assert done.json()["success"] is True
    assert done.json()["verified"] is True
    assert "token" not in done.json()
    assert done.json()["user"]["id"] == "live-1"
    assert "httponly" in done.headers["set-cookie"].lower()
    [user] = await rows(settings, User)
    assert (user.email, user.is_active) == (EMAIL, True)
    assert user.email_verified_at is not None
    assert (await browser.get(f"{API}/me")).json() == done.json()["user"]


async def test_an_inactive_user_is_activated_and_not_made_anew(browser, settings):
    await insert(settings, User(email=EMAIL))
    await insert(settings, DemoUser(email=EMAIL))
    user = await signed_up(browser, "live")
    assert (user["id"], user["is_active"]) == ("live-1", True)
    assert [row.is_active for row in await rows(settings, User)] == [True]
    assert [row.is_active for row in await rows(settings, DemoUser)] == [False]


async def test_live_and_demo_accounts_of_one_address_are_two(browser, settings):
    live, demo = await signed_up(browser, "live"), await signed_up(browser, "demo")
    assert (live["id"], demo["id"]) == ("live-1", "demo-1")
    assert len(await rows(settings, User)) == len(await rows(settings, DemoUser)) == 1
    assert (await browser.get(f"{API}/session")).json()["user"]["user_type"] == "demo"


async def test_a_code_for_one_kind_is_none_for_the_other(browser, settings):
    sent = (await post(browser, "/signup/send-otp", email=EMAIL, user_type="live")).json()
    refused = await post(
        browser, "/signup/verify-otp", email=EMAIL, user_type="demo", otp_code=sent["otp"]
    )
    assert (refused.status_code, refused.json()["code"]) == (401, "CODE_NOT_FOUND")
    assert await rows(settings, DemoUser) == []


async def test_an_active_user_a_new_one_and_an_inactive_one_are_answered_alike(browser, settings):
    await insert(settings, User(email="active@example.com", is_active=True))
    await insert(settings, User(email="inactive@example.com"))
    answers = [
        await post(browser, "/signup/send-otp", email=f"{name}@example.com", user_type="live")
        for name in ("active", "inactive", "new")
    ]
    shapes = {(answer.status_code, tuple(answer.json())) for answer in answers}
    assert len(shapes) == 1
    assert {answer.json()["message"] for answer in answers} == {"OTP sent successfully"}


async def test_a_phone_logs_in_and_out(browser, settings):
    phone = "+15551234567"
    sent = (await post(browser, "/otp/request", phone=phone)).json()
    wrong = f"{(int(sent['otp']) + 1) % 1_000_000:06}"
    refused = await post(browser, "/otp/verify", phone=phone, code=wrong)
    assert (refused.status_code, refused.json()["attemptsLeft"]) == (401, 4)
    spaced = f"{sent['otp'][:3]} {sent['otp'][3:]}"
    done = (await post(browser, "/otp/verify", phone=phone, code=spaced)).json()
    assert done["user"]["phone"] == phone
    [user] = await rows(settings, User)
    assert user.phone_verified_at is not None
    assert user.email_verified_at is None
    out = await post(browser, "/logout")
    assert out.json() == {"success": True, "message": "Logged out"}
    assert (await browser.get(f"{API}/me")).status_code == 401
    again = await post(browser, "/otp/verify", phone=phone, code=sent["otp"])
    assert again.json()["code"] == "CODE_NOT_FOUND"


async def test_resending_has_a_cooldown_and_a_limit(browser):
    phone = {"phone": "+15551234567", "type": "phone"}
    await post(browser, "/otp/request", phone=phone["phone"])
    refused = await post(browser, "/otp/resend", **phone)
    assert (refused.status_code, refused.json()["code"]) == (429, "COOLDOWN")
    assert int(refused.headers["retry-after"]) == refused.json()["retryAfter"]


async def test_a_link_is_looked_at_often_and_confirmed_once(browser, settings):
    sent = (await post(browser, "/email/request", email=EMAIL)).json()
    assert sent["expiresIn"] in range(86_390, 86_401)
    token = httpx.URL(sent["link"]).params["token"]
    for _ in range(2):
        page = await browser.get("/verify-email", params={"token": token})
        assert page.status_code == 200
        assert page.headers["referrer-policy"] == "no-referrer"
        look = await browser.get(f"{API}/email/verify", params={"token": token})
        assert look.json()["verified"] is False
    assert await rows(settings, User) == []
    other = await post(browser, "/email/verify", token=token, email="other@example.com")
    assert (other.status_code, other.json()["success"]) == (400, False)
    done = await post(browser, "/email/verify", token=token, email=EMAIL)
    assert done.json()["user"]["email"] == EMAIL
    assert (await browser.get(f"{API}/me")).json()["id"] == done.json()["user"]["id"]
    again = await post(browser, "/email/verify", token=token)
    assert (again.status_code, again.json()["code"]) == (400, "LINK_INVALID")


async def test_whoever_is_deactivated_is_out(browser, settings):
    await signed_up(browser, "live")
    engine = create_async_engine(settings.database_url)
    async with AsyncSession(engine) as session:
        user = await session.get(User, 1)
        user.is_active = False
        await session.commit()
    await engine.dispose()
    refused = await browser.get(f"{API}/me")
    assert (refused.status_code, refused.json()["code"]) == (401, "SESSION_NOT_FOUND")
    assert "user" not in (await browser.get(f"{API}/session")).json()


async def test_one_address_that_is_proven_twice_at_once_is_one_user(settings):
    users = Users(settings.database_url)
    proven = ProvenAddress(EMAIL, "login", "code")
    async with users.opened():
        found = await asyncio.gather(*(users.activate(proven) for _ in range(8)))
    assert {user.id for user in found} == {"live-1"}
    assert len(await rows(settings, User)) == 1


@pytest.mark.parametrize("path", ["/", "/signup", "/verify-email?token=x"])
async def test_pages_load_nothing_from_elsewhere_and_cannot_be_framed(browser, path):
    page = await browser.get(path)
    assert "https://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "<script>" not in page.text
    for name in {part.split('"')[0] for part in page.text.split('"/static/')[1:]}:
        assert (await browser.get(f"/static/{name}")).status_code == 200, name


async def test_in_production_codes_and_links_are_in_messages_alone(settings):
    sent: list[str] = []
    production = replace(
        settings,
        mode="production",
        secret="a secret of thirty-two bytes or more",
        sender=lambda message: sent.append(message.code),
    )
    app = create_app(production)
    async with serving(app) as address, httpx.AsyncClient(base_url=address) as browser:
        asked = await post(browser, "/otp/request", phone="+15551234567")
        assert "otp" not in asked.json()
        assert sent[0] not in asked.text
        done = await post(browser, "/otp/verify", phone="+15551234567", code=sent[0])
        assert done.headers["set-cookie"].startswith("__Host-session=")
        assert "; Secure" in done.headers["set-cookie"]
        assert (await browser.get("/__oncecode/messages.json")).status_code == 404
        # Without a mail server there are no links.
        assert (await post(browser, "/email/request", email=EMAIL)).status_code == 404
