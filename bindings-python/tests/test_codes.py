"""The main job in both forms, on every store."""

import asyncio
import datetime
import inspect

import pytest

import oncecode
from conftest import PHONE, other_code


async def test_the_right_code_verifies_exactly_once(store, open_client, options):
    once = await open_client(store, **options)
    sent = await once.codes.issue(to="+1 (415) 867-5309", purpose="login", data={"next": ["/", 1]})
    done = await once.codes.verify(to=PHONE, purpose="login", code=sent.code)
    assert (done.identifier, done.purpose, done.data) == (PHONE, "login", {"next": ["/", 1]})
    with pytest.raises(oncecode.CodeNotFound):
        await once.codes.verify(to=PHONE, purpose="login", code=sent.code)


async def test_a_wrong_code_says_how_many_attempts_are_left(store, open_client, options):
    once = await open_client(store, **options)
    sent = await once.codes.issue(to="ann@example.com", purpose="login")
    with pytest.raises(oncecode.WrongCode) as refused:
        await once.codes.verify(to="ann@example.com", purpose="login", code=other_code(sent.code))
    assert refused.value.attempts_left == 4 == sent.attempts_left - 1
    await once.codes.verify(to="Ann@Example.com", purpose="login", code=sent.code)


async def test_a_challenge_can_be_named_by_its_id(store, open_client, options):
    once = await open_client(store, **options)
    sent = await once.codes.issue(to=PHONE, purpose="login")
    with pytest.raises(oncecode.CodeNotFound):
        await once.codes.verify(id=sent.id[::-1], purpose="login", code=sent.code)
    done = await once.codes.verify(id=sent.id, purpose="login", code=sent.code)
    assert done.identifier == PHONE
    assert done.data is None


async def test_peek_shows_what_cancel_kills(store, open_client, options):
    once = await open_client(store, **options)
    sent = await once.codes.issue(to=PHONE, purpose="login")
    live = await once.codes.peek(to=PHONE, purpose="login")
    assert (live.id, live.attempts_left) == (sent.id, 5)
    assert abs(live.expires_at - sent.expires_at) < datetime.timedelta(seconds=2)
    assert await once.codes.cancel(to=PHONE, purpose="login") is True
    assert await once.codes.cancel(to=PHONE, purpose="login") is False
    assert await once.codes.peek(to=PHONE, purpose="login") is None


async def test_resend_makes_a_new_code_with_the_same_data(store, open_client, options):
    once = await open_client(store, **options, policy={"cooldown_seconds": 0})
    first = await once.codes.issue(to=PHONE, purpose="login", data="kept")
    second = await once.codes.resend(id=first.id, purpose="login")
    done = await once.codes.verify(to=PHONE, purpose="login", code=second.code)
    assert done.data == "kept"


async def test_a_second_issue_is_told_the_cooldown(store, open_client, options):
    once = await open_client(store, **options)
    await once.codes.issue(to=PHONE, purpose="login")
    with pytest.raises(oncecode.Cooldown) as refused:
        await once.codes.issue(to=PHONE, purpose="login")
    assert 58 <= refused.value.retry_after_seconds <= 60


async def test_of_a_hundred_right_codes_at_once_exactly_one_wins(store, open_client, options):
    once = await open_client(store, **options, policy={"verify_limit": False}, deadline_ms=5000)
    sent = await once.codes.issue(to=PHONE, purpose="login")
    tries = (once.codes.verify(to=PHONE, purpose="login", code=sent.code) for _ in range(100))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    won = [o for o in outcomes if isinstance(o, oncecode.Verified)]
    lost = [o for o in outcomes if isinstance(o, oncecode.CodeNotFound)]
    assert (len(won), len(lost)) == (1, 99)


async def test_purge_counts_what_it_deletes(store, open_client, options):
    # Tables of its own: in the common ones the rows of other tests have expired by now.
    prefix = options["key_prefix"].replace("-", "_") + "_"
    once = await open_client(store, **options, table_prefix=prefix)
    await once.codes.issue(to=PHONE, purpose="login")
    assert await once.purge(limit=10) == 0


async def test_after_close_everything_is_closed(store, open_client, options):
    once = await open_client(store, **options)
    await once.close()
    await once.close()
    for call in (
        once.codes.issue(to=PHONE, purpose="login"),
        once.codes.verify(to=PHONE, purpose="login", code="000000"),
        once.codes.peek(to=PHONE, purpose="login"),
        once.purge(limit=1),
    ):
        with pytest.raises(oncecode.Closed):
            await call


async def test_a_server_that_is_not_there_is_told_within_the_deadline(open_client, options):
    loop = asyncio.get_running_loop()
    for url in ("redis://127.0.0.1:1/0", "postgres://nobody@127.0.0.1:1/nothing"):
        began = loop.time()
        with pytest.raises(oncecode.StoreUnavailable) as refused:
            await open_client(url, **options)
        assert loop.time() - began < 2
        assert refused.value.retryable


async def test_times_are_aware_and_in_utc(open_client, options):
    once = await open_client("memory:", **options)
    sent = await once.codes.issue(to=PHONE, purpose="login")
    now = datetime.datetime.now(datetime.timezone.utc)
    assert sent.expires_at.tzinfo == datetime.timezone.utc
    assert abs((sent.expires_at - now).total_seconds() - 600) < 5
    assert abs((sent.resend_at - now).total_seconds() - 60) < 5


async def test_results_are_frozen_and_hide_code_and_address(open_client, options):
    once = await open_client("memory:", **options)
    sent = await once.codes.issue(to=PHONE, purpose="login", data="private")
    live = await once.codes.peek(to=PHONE, purpose="login")
    done = await once.codes.verify(to=PHONE, purpose="login", code=sent.code)
    for result in (sent, live, done):
        shown = f"{result!r} {result}"
        assert sent.code not in shown
        assert PHONE not in shown
        assert "private" not in shown
        with pytest.raises(AttributeError):
            result.purpose = "other"


async def test_production_returns_no_code(open_client, options):
    given = []
    options.update(mode="production", secret="s" * 32, sender=given.append)
    once = await open_client("memory:", **options)
    sent = await once.codes.issue(to=PHONE, purpose="login")
    assert sent.code is None
    await once.codes.verify(to=PHONE, purpose="login", code=given[0].code)


async def test_any_json_comes_back_as_it_was(open_client, options):
    once = await open_client("memory:", **options)
    values = [True, 0, -(2**63), 2**64 - 1, 1.5, "é🙂\0", [], {}, {"a": [None, {"b": "c"}]}, (1, 2)]
    for number, value in enumerate(values):
        sent = await once.codes.issue(to=f"{number}@example.com", purpose="login", data=value)
        done = await once.codes.verify(id=sent.id, purpose="login", code=sent.code)
        assert done.data == (list(value) if isinstance(value, tuple) else value)
        assert type(done.data) is not bool or value is True


async def test_operations_are_coroutines(options):
    async with await oncecode.Oncecode.open("memory:", **options) as once:
        task = asyncio.create_task(once.codes.peek(to=PHONE, purpose="login"))
        assert await task is None


def test_the_two_forms_take_the_same_arguments():
    services = ["Codes", "Cache", "Idempotency", "Limits", "Links", "Locks", "Sessions"]
    pairs = [(getattr(oncecode, name), getattr(oncecode, f"Blocking{name}")) for name in services]
    for awaited, waiting in [*pairs, (oncecode.Oncecode, oncecode.blocking.Oncecode)]:
        methods = {name for name, method in vars(awaited).items() if inspect.isroutine(method)}
        plain = {name for name in methods if name.startswith("_")} | {"open_sync"}
        for name in methods - plain:
            one, other = (inspect.signature(getattr(form, name)) for form in (awaited, waiting))
            assert one.parameters.keys() == other.parameters.keys(), name
            assert not inspect.iscoroutinefunction(getattr(waiting, name))


def test_open_sync_gives_the_blocking_form(options):
    with oncecode.Oncecode.open_sync("memory:", **options) as once:
        assert isinstance(once, oncecode.blocking.Oncecode)
        sent = once.codes.issue(to=PHONE, purpose="login")
        assert once.codes.verify(to=PHONE, purpose="login", code=sent.code).identifier == PHONE


async def test_the_environment_can_say_it_all(monkeypatch):
    for name in ("REDIS_URL", "DATABASE_URL", "USE_DATABASE", "ONCECODE_SECRET", "SESSION_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ONCECODE_STORE", "memory:")
    monkeypatch.setenv("ONCECODE_MODE", "development")
    messages = []
    async with await oncecode.Oncecode.from_env(sender=messages.append) as once:
        sent = await once.codes.issue(to=PHONE, purpose="login")
        await once.codes.verify(to=PHONE, purpose="login", code=sent.code)
    assert messages[0].to == PHONE
    monkeypatch.delenv("ONCECODE_MODE")
    with pytest.raises(oncecode.Config, match="secret"):
        oncecode.blocking.Oncecode.from_env()


async def test_a_fixed_test_code_is_not_sent_and_is_refused_in_production():
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30)
    codes = {"codes": {PHONE: "012345"}, "until": until.isoformat()}
    sent = []
    production = {"secret": "s" * 32, "sender": sent.append}
    with pytest.raises(oncecode.Config, match="allow_in_production"):
        await oncecode.Oncecode.open("memory:", **production, test_codes=codes)
    named = {**codes, "allow_in_production": [PHONE]}
    async with await oncecode.Oncecode.open("memory:", **production, test_codes=named) as once:
        await once.codes.issue(to=PHONE, purpose="login")
        assert sent == []
        await once.codes.verify(to=PHONE, purpose="login", code="012345")
        with pytest.raises(oncecode.CodeNotFound):
            await once.codes.verify(to=PHONE, purpose="login", code="012345")
