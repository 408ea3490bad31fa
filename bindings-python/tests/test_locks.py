"""What Python adds to `once.locks` and `once.idempotency`: contexts, cancellation, decorators."""

from __future__ import annotations

import asyncio
import os

import pytest

import oncecode
from oncecode import blocking

NAME = "orders/7"


@pytest.fixture
async def once(options):
    async with await oncecode.Oncecode.open("memory:", **options) as once:
        yield once


@pytest.fixture
def sync(options):
    with blocking.Oncecode.open("memory:", **options) as once:
        yield once


async def test_a_lock_says_what_it_is_and_not_its_token_when_it_is_shown(once):
    lock = await once.locks.acquire(NAME, ttl_seconds=60)
    assert len(lock.token) == 22
    assert lock.fence > 1_700_000_000_000
    assert 50 < lock.remaining_seconds <= 60
    assert not lock.lost
    lock.check()
    assert lock.token not in repr(lock)
    await lock.extend(ttl_seconds=600)
    assert lock.remaining_seconds > 590
    assert await lock.release() is True
    assert await lock.release() is False
    assert lock.remaining_seconds == 0
    with pytest.raises(oncecode.LeaseLost):
        await lock.extend(ttl_seconds=60)
    with pytest.raises(oncecode.LeaseLost):
        lock.check()


async def test_async_with_releases_and_passes_exceptions_on(once):
    fences = []

    async def work():
        async with once.locks.hold(NAME, ttl_seconds=60) as lock:
            fences.append(lock.fence)
            assert await once.locks.try_acquire(NAME, ttl_seconds=60) is None
            raise KeyError

    with pytest.raises(KeyError):
        await work()
    async with await once.locks.acquire(NAME, ttl_seconds=60, wait_seconds=0) as second:
        assert second.fence > fences[0]
    assert await once.locks.try_acquire(NAME, ttl_seconds=60) is not None


async def test_hold_renews(once):
    async with once.locks.hold(NAME, ttl_seconds=0.15) as lock:
        with pytest.raises(oncecode.Locked) as refused:
            await once.locks.acquire(NAME, ttl_seconds=60, wait_seconds=0.5)
        assert refused.value.retry_after_seconds == 1
        assert not lock.lost


async def test_a_loss_cancels_the_task_in_the_block_and_nothing_else(once):
    reached = []

    async def work():
        async with once.locks.hold(NAME, ttl_seconds=0.05, renew=False):
            reached.append("inside")
            await asyncio.Event().wait()
            reached.append("never")

    with pytest.raises(oncecode.LeaseLost):
        await work()
    assert reached == ["inside"]
    # The task goes on as if nothing had happened.
    await asyncio.sleep(0)
    if hasattr(asyncio.current_task(), "cancelling"):
        assert asyncio.current_task().cancelling() == 0
    assert await once.locks.try_acquire(NAME, ttl_seconds=60) is not None


async def test_a_cancellation_from_outside_stays_one_and_the_lock_is_released(once):
    inside = asyncio.Event()

    async def work():
        async with once.locks.hold(NAME, ttl_seconds=60):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await once.locks.try_acquire(NAME, ttl_seconds=60) is not None


def test_blocking_hold_tells_of_a_loss_at_its_end(sync):
    def work():
        with sync.locks.hold(NAME, ttl_seconds=0.05, renew=False) as lock:
            # Waits in the store until the lease is over.
            sync.locks.acquire(NAME, ttl_seconds=60, wait_seconds=20).release()
            assert lock.remaining_seconds == 0

    with pytest.raises(oncecode.LeaseLost):
        work()
    with sync.locks.hold(NAME, ttl_seconds=60) as lock:
        assert sync.locks.try_acquire(NAME, ttl_seconds=60) is None
        lock.extend(ttl_seconds=90)
    assert sync.locks.try_acquire(NAME, ttl_seconds=60) is not None


def test_a_forked_child_neither_has_nor_releases_its_parents_lock(sync):
    lock = sync.locks.acquire(NAME, ttl_seconds=60, renew=True)
    child = os.fork()
    if child == 0:
        try:
            refused = False
            try:
                lock.release()
            except oncecode.LeaseLost:
                refused = True
            ours = lock.remaining_seconds != 0
            del lock
            os._exit(0 if refused and not ours else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert lock.remaining_seconds > 0
    assert lock.release() is True


@pytest.mark.parametrize("bad", [None, "60", float("nan"), -1, True, [], object()])
async def test_what_is_no_number_of_seconds_is_refused_by_name(once, bad):
    with pytest.raises(oncecode.InvalidArgument, match="ttl_seconds"):
        await once.locks.acquire(NAME, ttl_seconds=bad)


async def test_run_works_once_and_the_others_have_the_same_reply(once):
    runs = 0

    async def work(claim):
        nonlocal runs
        assert claim.fence > 0
        runs += 1
        return {"pair": (1, 2)}

    options = {"scope": "ann", "key": "7", "fingerprint": {"a": 1}, "wait_seconds": 20}
    replies = await asyncio.gather(*(once.idempotency.run(work, **options) for _ in range(20)))
    assert runs == 1
    assert all(reply.value == {"pair": [1, 2]} for reply in replies)
    assert [reply.replayed for reply in replies].count(False) == 1


async def test_work_that_raises_frees_the_key(once):
    async def failing(_claim):
        raise KeyError

    async def nothing(_claim):
        return None

    with pytest.raises(KeyError):
        await once.idempotency.run(failing, scope="ann", key="7")
    assert not (await once.idempotency.run(nothing, scope="ann", key="7")).replayed
    assert (await once.idempotency.run(failing, scope="ann", key="7")).replayed


async def test_work_is_cancelled_when_its_claim_is_lost(once):
    async def forever(_claim):
        await asyncio.Event().wait()

    short = {"scope": "ann", "key": "7", "lease_seconds": 0.05, "renew": False}
    with pytest.raises(oncecode.LeaseLost):
        await once.idempotency.run(forever, **short)
    claim = await once.idempotency.begin(scope="ann", key="7", wait_seconds=20)
    assert not claim.replayed
    await claim.complete("done")
    assert (await once.idempotency.begin(scope="ann", key="7")).value == "done"


async def test_an_idempotent_function_gives_the_same_value_again(once):
    runs = []

    @once.idempotency.idempotent(
        scope=lambda user, **_: user,
        key=lambda user, order: order["id"],
        fingerprint=lambda user, order: order,
    )
    async def charge(user, order):
        """Charges."""
        runs.append(user)
        return {"run": len(runs)}

    assert charge.__doc__ == "Charges."
    assert await charge("ann", order={"id": "7", "amount": 5}) == {"run": 1}
    assert await charge("ann", order={"amount": 5, "id": "7"}) == {"run": 1}
    assert await charge("bob", order={"id": "7", "amount": 5}) == {"run": 2}
    with pytest.raises(oncecode.IdempotencyMismatch) as refused:
        await charge("ann", order={"id": "7", "amount": 6})
    assert refused.value.status == 422


def test_the_blocking_twin_does_the_same(sync):
    runs = []

    @sync.idempotency.idempotent(scope="stripe", key=lambda event: event)
    def handle(event):
        runs.append(event)
        return len(runs)

    assert [handle("a"), handle("a"), handle("b")] == [1, 1, 2]
    claim = sync.idempotency.begin(scope="stripe", key="c")
    assert claim.abandon()
    claim = sync.idempotency.begin(scope="stripe", key="c")
    claim.complete({"a": 1})
    assert sync.idempotency.begin(scope="stripe", key="c").value == {"a": 1}


async def test_unknown_options_are_refused(once):
    with pytest.raises(TypeError, match="lease"):
        await once.idempotency.begin(scope="a", key="b", lease=5)
