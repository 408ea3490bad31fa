"""Events, to the logger or to a callback."""

import asyncio
import contextvars
import logging

import pytest

import oncecode
from conftest import PHONE, other_code

request_id = contextvars.ContextVar("request_id", default="nobody's")


async def run_through(once):
    """One of most things that can happen."""
    sent = await once.codes.issue(to=PHONE, purpose="login")
    with pytest.raises(oncecode.Cooldown):
        await once.codes.issue(to=PHONE, purpose="login")
    with pytest.raises(oncecode.WrongCode):
        await once.codes.verify(to=PHONE, purpose="login", code=other_code(sent.code))
    await once.codes.verify(to=PHONE, purpose="login", code=sent.code)
    await once.codes.issue(to=PHONE, purpose="signup-live")
    await once.codes.cancel(to=PHONE, purpose="signup-live")
    return sent


async def test_a_callback_is_told_before_the_operation_returns(store, open_client, options):
    events = []
    once = await open_client(store, **options, events=events.append)
    sent = await run_through(once)
    assert [(event.name, event.reason, event.attempts_left) for event in events] == [
        ("LOGIN_OTP_CREATED", None, 5),
        ("LOGIN_OTP_ISSUE_REFUSED", "COOLDOWN", None),
        ("LOGIN_OTP_VERIFICATION_FAILED", "WRONG_CODE", 4),
        ("LOGIN_OTP_VERIFIED", None, None),
        ("SIGNUP_LIVE_OTP_CREATED", None, 5),
        ("SIGNUP_LIVE_OTP_CANCELLED", None, None),
    ]
    assert {event.purpose for event in events} == {"login", "signup-live"}
    assert {event.identifier for event in events} == {"+14*****5309"}
    assert abs((sent.expires_at - events[0].at).total_seconds() - 600) < 5
    assert all(PHONE not in repr(event) and sent.code not in repr(event) for event in events)


async def test_without_a_callback_they_are_logged_at_info(store, open_client, options, caplog):
    once = await open_client(store, **options)
    caplog.set_level(logging.INFO, "oncecode")
    caplog.clear()
    sent = await run_through(once)
    assert [record.getMessage() for record in caplog.records[:4]] == [
        "LOGIN_OTP_CREATED identifier=+14*****5309 attempts_left=5",
        "LOGIN_OTP_ISSUE_REFUSED identifier=+14*****5309 reason=COOLDOWN",
        "LOGIN_OTP_VERIFICATION_FAILED identifier=+14*****5309 reason=WRONG_CODE attempts_left=4",
        "LOGIN_OTP_VERIFIED identifier=+14*****5309",
    ]
    assert {(record.name, record.levelno) for record in caplog.records} == {
        ("oncecode", logging.INFO)
    }
    assert sent.code not in caplog.text
    assert PHONE not in caplog.text


async def test_nothing_is_logged_where_the_logger_does_not_want_it(open_client, options, caplog):
    once = await open_client("memory:", **options)
    caplog.set_level(logging.WARNING, "oncecode")
    await run_through(once)
    assert caplog.records == []


async def test_a_callback_has_the_events_to_itself(open_client, options, caplog):
    caplog.set_level(logging.INFO, "oncecode")
    once = await open_client("memory:", **options, events=lambda event: None)
    await run_through(once)
    assert caplog.records == []


async def test_a_callback_that_raises_is_logged_and_harms_nobody(open_client, options, caplog):
    def tell(event):
        raise ZeroDivisionError

    once = await open_client("memory:", **options, events=tell)
    sent = await once.codes.issue(to=PHONE, purpose="login")
    await once.codes.verify(to=PHONE, purpose="login", code=sent.code)
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert {record.exc_info[0] for record in caplog.records} == {ZeroDivisionError}


async def test_events_come_in_the_callers_context(redis, options, caplog):
    seen = []

    def tell(event):
        seen.append((event.purpose, request_id.get()))

    async with await oncecode.Oncecode.open(redis, **options, events=tell) as once:

        async def serve(name):
            request_id.set(name)
            await once.codes.issue(to=PHONE, purpose=name)

        await asyncio.gather(*(serve(f"p{n}") for n in range(20)))
    assert sorted(seen) == sorted((f"p{n}", f"p{n}") for n in range(20))


async def test_a_failed_delivery_is_an_event(open_client, options):
    events = []
    options.update(sender=lambda message: 1 / 0, events=events.append)
    once = await open_client("memory:", **options)
    with pytest.raises(oncecode.DeliveryFailed):
        await once.codes.issue(to=PHONE, purpose="login")
    assert [event.name for event in events] == ["LOGIN_OTP_DELIVERY_FAILED"]


async def test_an_async_callback_is_refused(open_client, options):
    async def tell(event):
        pass

    with pytest.raises(oncecode.Config, match="events"):
        await open_client("memory:", **options, events=tell)


async def test_a_weak_policy_is_warned_of_at_start(open_client, options, caplog):
    await open_client("memory:", **options, policy={"code_length": 4, "failure_budget": False})
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert "NIST SP 800-63B-4" in caplog.text
    assert "a day" in caplog.text
