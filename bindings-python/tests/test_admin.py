from __future__ import annotations

import pytest

import oncecode


async def test_a_copy_moves_live_codes_and_goes_on_from_a_cursor(
    open_client, redis, options, tmp_path
) -> None:
    target = f"sqlite:{tmp_path}/new.db"
    old = await open_client(redis, **options)
    codes = {}
    for n in range(25):
        to = f"user{n}@example.com"
        codes[to] = (await old.codes.issue(to=to, purpose="login")).code
    told = []

    def enough(so_far: oncecode.Copied) -> None:
        told.append(so_far)
        if len(told) == 2:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        await old.admin.copy(to=target, batch=5, progress=enough)
    assert told[1].cursor is not None
    done = await old.admin.copy(to=target, resume_from=told[1].cursor)
    assert told[1].challenges + done.challenges == 25
    assert (done.values, done.unreadable, done.refused, done.cursor) == (0, 0, 0, None)
    moving = await open_client(f"moving:{target}|{redis}", **options)
    for to, code in codes.items():
        done = await moving.codes.verify(to=to, purpose="login", code=code)
        assert done.identifier == to
        with pytest.raises(oncecode.CodeNotFound):
            await moving.codes.verify(to=to, purpose="login", code=code)


async def test_progress_may_be_async(options) -> None:
    async with await oncecode.Oncecode.open("memory:", **options) as once:
        await once.codes.issue(to="ann@example.com", purpose="login")
        told = []

        async def progress(so_far: oncecode.Copied) -> None:
            told.append(so_far)

        done = await once.admin.copy(to="memory:", progress=progress)
        assert told == [done]
        assert done.challenges == 1


@pytest.mark.parametrize(
    "request_",
    [{"to": 1}, {"to": "memory:", "batch": 0}, {"to": "memory:", "progress": 1}],
)
async def test_odd_requests_are_refused(open_client, options, request_) -> None:
    once = await open_client("memory:", **options)
    with pytest.raises(oncecode.InvalidArgument):
        await once.admin.copy(**request_)
    with pytest.raises(oncecode.Config):
        await once.admin.copy(to="nowhere:")


@pytest.mark.parametrize("purge", [False, True, {}, {"interval_seconds": 60}, {"batch": 10}])
async def test_the_purge_option_is_read(open_client, options, tmp_path, purge) -> None:
    await open_client(f"sqlite:{tmp_path}/codes.db", purge=purge, **options)


@pytest.mark.parametrize("purge", ["often", {"interval_seconds": 0}, {"batch": 0}, {"every": 1}])
async def test_odd_purge_options_are_refused(open_client, options, purge) -> None:
    with pytest.raises(oncecode.Config):
        await open_client("memory:", purge=purge, **options)
