"""The recipe for Stripe's webhooks, on signatures that Stripe's own package makes."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import oncecode
import stripe

PAGE = Path(__file__).parents[2] / "docs" / "idempotency.md"
SECRET = "whsec_of_the_tests"


def recipe() -> Any:
    """`webhook`, as the page has it."""
    [program] = re.findall(
        r"^```python\n(import json\n.*?)^```$",
        PAGE.read_text(),
        re.MULTILINE | re.DOTALL,
    )
    defined: dict[str, Any] = {}
    exec(compile(program, PAGE.name, "exec"), defined)  # noqa: S102
    return defined["webhook"]


def event(number: int) -> bytes:
    return json.dumps(
        {"id": f"evt_{number}", "object": "event", "type": "invoice.paid"}
    ).encode()


def signature(payload: bytes, secret: str = SECRET) -> str:
    at = int(time.time())
    signed = f"{at}.{payload.decode()}"
    return f"t={at},v1={stripe.WebhookSignature._compute_signature(signed, secret)}"


async def deliver(
    payload: bytes, header: str, times: int
) -> tuple[list[int], list[str]]:
    """What Stripe is answered, and which events were handled."""
    handled: list[str] = []

    async def handle(event: dict[str, Any]) -> None:
        handled.append(event["id"])
        await asyncio.sleep(0)

    webhook = recipe()
    async with await oncecode.Oncecode.open(
        "memory:", mode="development", sender="none:"
    ) as once:
        first = await asyncio.gather(
            *(webhook(once, payload, header, SECRET, handle) for _ in range(times))
        )
        again = await webhook(once, payload, header, SECRET, handle)
    return [*first, again], handled


def test_an_event_is_handled_once_however_often_it_comes() -> None:
    payload = event(1)
    answers, handled = asyncio.run(deliver(payload, signature(payload), 10))
    assert handled == ["evt_1"]
    assert Counter(answers)[200] >= 2
    assert set(answers) <= {200, 409}
    assert answers[-1] == 200


def test_what_stripe_has_not_signed_is_not_handled() -> None:
    payload = event(2)
    for header in [
        signature(payload, "whsec_another"),
        signature(event(3)),
        "",
        "t=1,v1=00",
    ]:
        answers, handled = asyncio.run(deliver(payload, header, 2))
        assert (set(answers), handled) == ({400}, [])


def test_what_fails_is_handled_when_it_comes_again() -> None:
    payload, tries = event(4), []

    async def handle(event: dict[str, Any]) -> None:
        tries.append(event["id"])
        if len(tries) == 1:
            raise ConnectionError

    async def twice() -> int:
        webhook = recipe()
        async with await oncecode.Oncecode.open(
            "memory:", mode="development", sender="none:"
        ) as once:
            try:
                await webhook(once, payload, signature(payload), SECRET, handle)
            except ConnectionError:
                pass
            return await webhook(once, payload, signature(payload), SECRET, handle)

    assert asyncio.run(twice()) == 200
    assert tries == ["evt_4"] * 2
