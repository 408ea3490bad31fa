"""The bridge is what Upstash's own client for Python takes it for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import pytest
import upstash_redis
import upstash_redis.asyncio
from upstash_redis.errors import UpstashError

SCRIPT = "redis.call('SET', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), 1}"
VALUES = ["text", "OK", "", 'naïve 🙂 \x00 " \\ \n']


def account() -> dict[str, str]:
    """The address and token, as Upstash's console shows them."""
    variable = "ONCECODE_TEST_UPSTASH"
    if variable not in os.environ:
        pytest.fail(f"{variable} is not set: scripts/services.py run -- pytest tests")
    parts = urlsplit(os.environ[variable].removeprefix("upstash+"))
    url = f"{parts.scheme}://{parts.hostname}:{parts.port}"
    return {"url": url, "token": unquote(parts.password or "")}


@pytest.fixture
def redis() -> Iterator[upstash_redis.Redis]:
    with upstash_redis.Redis(**account(), rest_retries=0) as client:
        yield client


@pytest.fixture
def key(redis: upstash_redis.Redis) -> Iterator[str]:
    name = f"upstash-test:{uuid4()}"
    yield name
    redis.delete(name)


@pytest.mark.parametrize("value", VALUES)
def test_values_come_back_as_they_were(
    redis: upstash_redis.Redis, key: str, value: str
) -> None:
    assert redis.set(key, value) is True
    assert redis.get(key) == value
    assert redis.mget(key, f"{key}-absent") == [value, None]


def test_options_and_numbers_are_understood(
    redis: upstash_redis.Redis, key: str
) -> None:
    assert redis.set(key, "1", px=60_000, nx=True) is True
    assert redis.set(key, "2", nx=True) is False
    assert redis.incrby(key, -5) == -4
    assert redis.pttl(key) > 50_000


def test_scripts_run_by_source_and_by_digest(
    redis: upstash_redis.Redis, key: str
) -> None:
    assert redis.eval(SCRIPT, keys=[key], args=["é"]) == ["é", 1]
    digest = redis.script_load(SCRIPT)
    assert redis.evalsha(digest, keys=[key], args=["again"]) == ["again", 1]
    with pytest.raises(UpstashError, match="NOSCRIPT"):
        redis.evalsha("0" * 40)


def test_a_pipeline_and_a_transaction_answer_a_command_each(
    redis: upstash_redis.Redis, key: str
) -> None:
    for begin in (redis.pipeline, redis.multi):
        batch = begin()
        batch.set(key, "1")
        batch.incr(key)
        batch.get(key)
        assert batch.exec() == [True, 2, "2"]


def test_errors_are_the_clients_own(redis: upstash_redis.Redis, key: str) -> None:
    redis.set(key, "text")
    with pytest.raises(UpstashError, match="not an integer"):
        redis.incr(key)
    with pytest.raises(UpstashError, match="unknown command"):
        redis.execute(["NO-SUCH-COMMAND"])


def test_a_wrong_token_is_refused() -> None:
    # A pipeline's is not tried: the client takes the refusal for a list and fails.
    wrong = {**account(), "token": "wrong"}
    with (
        upstash_redis.Redis(**wrong, rest_retries=0) as stranger,
        pytest.raises(UpstashError, match="WRONGPASS"),
    ):
        stranger.get("a")


def test_the_asynchronous_client_is_served_as_well(key: str) -> None:
    async def use() -> list[object]:
        async with upstash_redis.asyncio.Redis(**account(), rest_retries=0) as client:
            sets = (client.set(f"{key}{n}", str(n), ex=60) for n in range(20))
            await asyncio.gather(*sets)
            names = [f"{key}{n}" for n in range(20)]
            return [*await client.mget(*names), await client.delete(*names)]

    assert asyncio.run(use()) == [*map(str, range(20)), 20]
