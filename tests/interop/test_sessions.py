"""What one language makes, another accepts, revokes and uses up."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import oncecode
import pytest
from support.stores import Store

PACKAGE = (Path(__file__).parents[2] / "bindings-node/index.mjs").as_uri()
SECRET = "a secret of the tests only, 0123456789abcdef"
SECONDS = 30


class Node:
    """One Node process per program, which ends with its answer."""

    def __init__(self, store: Store) -> None:
        options = {"mode": "development", "sender": "none:", "deadlineMs": 10_000}
        options |= {"secret": SECRET, "keyPrefix": store.key_prefix}
        self._open = f"{json.dumps(store.url)}, {json.dumps(options)}"

    def run(self, program: str, *given: str) -> Any:
        source = f"""
            import {{ Oncecode }} from {json.dumps(PACKAGE)};
            const once = await Oncecode.open({self._open});
            const told = (call) => call.then((value) => value ?? null, (error) => error.code);
            const run = async (...given) => {{ {program} }};
            console.log(JSON.stringify(await run(...{json.dumps(given)})));
            await once.close();
        """
        command = ["node", "--input-type=module", "--eval", source]
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)


@pytest.fixture
def node(store: Store) -> Node:
    return Node(store)


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[oncecode.Oncecode]:
    async with await oncecode.Oncecode.open(
        store.url,
        mode="development",
        sender="none:",
        deadline_ms=10_000,
        secret=SECRET,
        key_prefix=store.key_prefix,
        tokens={"cache_seconds": 0},
    ) as once:
        yield once


def test_a_session_of_node_is_validated_and_revoked_by_python(
    store: Store, node: Node
) -> None:
    made = node.run(
        'return once.sessions.create({ userId: "ann", data: { a: [1, null] } })'
    )

    async def main() -> str:
        async with opened(store) as once:
            found = await once.sessions.validate(made["token"])
            assert (found.id, found.data) == (made["session"]["id"], {"a": [1, None]})
            other = await once.sessions.create(user_id="ann", device="Python")
            assert await once.sessions.revoke_all("ann", except_=other.token) == 1
            return other.token

    token = asyncio.run(main())
    assert (
        node.run("return told(once.sessions.validate(given[0]))", made["token"])
        == "SESSION_NOT_FOUND"
    )
    assert (
        node.run("return once.sessions.validate(given[0])", token)["device"] == "Python"
    )


def test_a_token_of_python_is_verified_by_node_until_node_revokes_all(
    store: Store, node: Node
) -> None:
    async def main() -> None:
        async with opened(store) as once:
            token = await once.tokens.sign({"sub": "ann", "role": "admin"})
            assert (
                node.run("return once.tokens.verify(given[0])", token)["role"]
                == "admin"
            )
            node.run('await once.tokens.revokeAll("ann"); return null')
            with pytest.raises(oncecode.TokenRevoked):
                await once.tokens.verify(token)
            fresh = node.run('return once.tokens.sign({ sub: "ann" })')
            assert (await once.tokens.verify(fresh))["sub"] == "ann"

    asyncio.run(main())


def test_a_link_of_node_works_once_in_either(store: Store, node: Node) -> None:
    link = node.run(
        'return once.links.issue({ to: "ann@example.com", purpose: "verify" })'
    )

    async def main() -> str:
        async with opened(store) as once:
            done = await once.links.verify(token=link["token"], purpose="verify")
            return done.identifier

    assert asyncio.run(main()) == "ann@example.com"
    again = node.run(
        'return told(once.links.verify({ token: given[0], purpose: "verify" }))',
        link["token"],
    )
    assert again == "LINK_INVALID"
