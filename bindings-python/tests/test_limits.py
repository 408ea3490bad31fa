"""`once.limits`, as apps use it."""

import asyncio

import pytest

import oncecode
from oncecode import blocking

TWO = {"max": 2, "window_seconds": 60}


async def test_a_limit_refuses_what_is_too_much_and_says_when_to_come_again(
    store, open_client, options
):
    once = await open_client(store, **options, limits={"mine": TWO}, deadline_ms=5000)
    limits = once.limits
    first = await limits.hit("mine", key="u1")
    assert (first.limit, first.allowed, first.max, first.remaining) == ("mine", True, 2, 1)
    assert not first.degraded
    assert 50 < first.resets_in_seconds <= 60
    assert first.headers["RateLimit-Policy"] == '"mine";q=2;w=60'
    assert "Retry-After" not in first.headers
    await limits.hit("mine", key="u1")
    with pytest.raises(oncecode.RateLimited) as refused:
        await limits.hit("mine", key="u1")
    assert 50 <= refused.value.retry_after_seconds <= 60
    assert refused.value.headers["Retry-After"] == str(refused.value.retry_after_seconds)
    assert (await limits.peek("mine", key="u1")).remaining == 0
    assert (await limits.peek("mine", key="u2")).remaining == 2
    await limits.reset("mine", key="u1")
    assert (await limits.hit("mine", key="u1")).remaining == 1


RULES = {
    "fixed": TWO,
    "sliding": {**TWO, "algorithm": "sliding"},
    "bucket": {**TWO, "algorithm": "bucket"},
    "several": {"limits": [TWO, {"max": 3, "window_seconds": 600, "algorithm": "bucket"}]},
}


@pytest.mark.parametrize("rule", RULES)
async def test_what_was_taken_is_given_back_and_no_more(rule, store, open_client, options):
    once = await open_client(store, **options, limits={"mine": RULES[rule]}, deadline_ms=5000)
    limits = once.limits
    await limits.refund("mine", key="u")
    assert (await limits.peek("mine", key="u")).remaining == 2
    await limits.hit("mine", key="u", cost=2)
    await asyncio.gather(*(limits.refund("mine", key="u") for _ in range(5)))
    assert (await limits.peek("mine", key="u")).remaining == 2
    await asyncio.gather(*(limits.hit("mine", key="u") for _ in range(2)))
    with pytest.raises(oncecode.RateLimited):
        await limits.hit("mine", key="u")
    await limits.refund("mine", key="u")
    await limits.hit("mine", key="u")


async def test_a_client_says_in_which_mode_it_is(open_client, options):
    once = await open_client("memory:", **options)
    assert getattr(once, "_inner", once).mode == "development"
    secret = "a secret of thirty-two bytes or more"
    once = await open_client("memory:", secret=secret, sender=print)
    assert getattr(once, "_inner", once).mode == "production"


async def test_of_many_hits_at_once_exactly_the_limit_passes(store, open_client, options):
    both = {
        "limits": [
            {"max": 7, "window_seconds": 60, "algorithm": "bucket"},
            {"max": 9, "window_seconds": 600},
        ]
    }
    once = await open_client(store, **options, limits={"both": both}, deadline_ms=20_000)
    hits = (once.limits.hit("both", ip="203.0.113.9") for _ in range(30))
    outcomes = await asyncio.gather(*hits, return_exceptions=True)
    assert sum(isinstance(outcome, oncecode.Quota) for outcome in outcomes) == 7
    assert sum(isinstance(outcome, oncecode.RateLimited) for outcome in outcomes) == 23


async def test_a_decorated_function_runs_as_often_as_it_may(options):
    async with await oncecode.Oncecode.open("memory:", **options, limits={"mine": TWO}) as once:

        @once.limits.limit("mine", key=lambda user, words: user)
        async def search(user, words):
            """Finds."""
            return words

        assert await search("a", words="x") == "x"
        assert await search("a", "y") == "y"
        with pytest.raises(oncecode.RateLimited):
            await search("a", "z")
        assert await search("b", "z") == "z"
        assert search.__doc__ == "Finds."


def test_a_decorated_function_that_blocks_runs_as_often_as_it_may(options):
    with blocking.Oncecode.open("memory:", **options) as once:
        once.limits.define("mine", **TWO)

        @once.limits.limit("mine", ip=lambda address: address)
        def visit(address):
            return address

        assert [visit("192.0.2.1"), visit("192.0.2.1")] == ["192.0.2.1"] * 2
        with pytest.raises(oncecode.RateLimited):
            visit("192.0.2.1")


async def test_the_clients_address_comes_from_trusted_proxies_only(open_client, options):
    once = await open_client("memory:", **options, trusted_proxies=["loopback", "10.0.0.0/8"])
    chain = {"forwarded_for": "6.6.6.6, 203.0.113.9, 10.1.2.3"}
    assert await once.limits.client_ip(remote="127.0.0.1", **chain) == "203.0.113.9"
    assert await once.limits.client_ip(remote="198.51.100.7", **chain) == "198.51.100.7"


@pytest.mark.parametrize(
    "given",
    [
        {"limit": "nobody", "key": "u"},
        {"limit": "auth"},
        {"limit": "auth", "key": ""},
        {"limit": "auth", "key": "x" * 1_000_000},
        {"limit": "auth", "key": "\ud800"},
        {"limit": "auth", "key": 7},
        {"limit": "auth", "ip": "localhost"},
        {"limit": "auth", "key": "u", "cost": 0},
        {"limit": "auth", "key": "u", "cost": 11},
        {"limit": "auth", "key": "u", "cost": True},
    ],
    ids=lambda given: repr(given)[:40].encode("ascii", "replace").decode(),
)
async def test_what_no_limit_can_take_is_refused(given, options):
    async with await oncecode.Oncecode.open("memory:", **options) as once:
        with pytest.raises(oncecode.InvalidArgument):
            await once.limits.hit(**given)


@pytest.mark.parametrize(
    "definition", [{}, {"max": 0, "window_seconds": 1}, {"max": 1, "window_seconds": float("inf")}]
)
async def test_what_is_no_definition_is_refused(definition, options):
    async with await oncecode.Oncecode.open("memory:", **options) as once:
        with pytest.raises(oncecode.Config):
            await once.limits.define("mine", **definition)
        with pytest.raises(oncecode.Config):
            await oncecode.Oncecode.open("memory:", **options, limits={"mine": definition})
