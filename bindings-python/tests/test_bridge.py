"""Event loops, threads and cancellation."""

import asyncio
import contextlib
import gc
import os
import pathlib
import re
import threading
import time
import weakref

import pytest
import uvloop

import oncecode
from conftest import PHONE
from oncecode import blocking

NEW_LOOP = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Unwatching(asyncio.SelectorEventLoop):
    """A loop that can't watch descriptors for us, like the default one of Windows."""

    def add_reader(self, *_):
        raise NotImplementedError


NEW_LOOP["unwatching"] = Unwatching


class Full(asyncio.SelectorEventLoop):
    """A loop that watches one descriptor for us and no more."""

    watched = False

    def add_reader(self, *what):
        if self.watched:
            raise OSError("too many descriptors")
        self.watched = True
        super().add_reader(*what)


NEW_LOOP["full"] = Full


@pytest.fixture(params=NEW_LOOP)
def new_loop(request):
    return NEW_LOOP[request.param]


def run(new_loop, main):
    loop = new_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def flow(once, to):
    sent = await once.codes.issue(to=to, purpose="login")
    done = await once.codes.verify(to=to, purpose="login", code=sent.code)
    return done.identifier


def phones(count, first=0):
    return [f"+9198{first + n:08}" for n in range(count)]


def test_many_flows_at_once_on_any_loop(redis, new_loop, options):
    async def main():
        async with await oncecode.Oncecode.open(redis, **options, deadline_ms=5000) as once:
            assert await asyncio.gather(*(flow(once, to) for to in phones(500))) == phones(500)

    run(new_loop, main())


def test_one_client_serves_loop_after_loop(redis, new_loop, options):
    once = run(new_loop, oncecode.Oncecode.open(redis, **options))
    for to in phones(5):
        assert run(new_loop, flow(once, to)) == to
    run(new_loop, once.close())


def test_one_client_serves_the_loops_of_many_threads(redis, new_loop, options):
    once = run(new_loop, oncecode.Oncecode.open(redis, **options, deadline_ms=5000))
    failed = []

    def serve(first):
        async def main():
            mine = phones(20, first)
            assert await asyncio.gather(*(flow(once, to) for to in mine)) == mine

        try:
            run(new_loop, main())
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=serve, args=(n * 100,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_loops_may_take_turns_on_one_thread(redis, new_loop, options):
    once = run(new_loop, oncecode.Oncecode.open(redis, **options))
    one, other = new_loop(), new_loop()
    open_before = len(os.listdir("/proc/self/fd"))
    for n, to in enumerate(phones(20)):
        assert (one, other)[n % 2].run_until_complete(flow(once, to)) == to
    assert len(os.listdir("/proc/self/fd")) <= open_before + 2
    one.close()
    other.close()


def test_a_closed_loop_leaves_nothing_behind(redis, new_loop, options):
    once = run(new_loop, oncecode.Oncecode.open(redis, **options))

    def one_loop(to):
        loop = new_loop()
        loop.run_until_complete(flow(once, to))
        abandoned = [loop.create_task(flow(once, other)) for other in phones(20, 1000)]
        loop.run_until_complete(asyncio.sleep(0))
        for task in abandoned:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*abandoned, return_exceptions=True))
        loop.close()
        return weakref.ref(loop)

    one_loop(phones(1)[0])
    open_before = len(os.listdir("/proc/self/fd"))
    loops = [one_loop(to) for to in phones(10, 100)]
    # What was abandoned may still be under way, and tells a queue that nobody reads any more;
    # until its end it may know the loop. Other calls go on meanwhile.
    patience = time.monotonic() + 10
    for to in phones(100_000, 200):
        gc.collect()
        assert run(new_loop, flow(once, to)) == to
        if not any(loop() for loop in loops) or time.monotonic() > patience:
            break
    assert [loop() for loop in loops if loop()] == []
    assert len(os.listdir("/proc/self/fd")) <= open_before + 10


def test_a_loop_that_is_stopped_with_calls_outstanding_is_harmless(redis, new_loop, options):
    loop = new_loop()
    once = loop.run_until_complete(oncecode.Oncecode.open(redis, **options))

    async def begin():
        # Futures that nobody awaits: what is left when a program gives up.
        return [once.codes._native.peek(to, None, "login") for to in phones(50)]

    outstanding = loop.run_until_complete(begin())
    loop.close()
    del outstanding, loop
    gc.collect()
    assert run(new_loop, flow(once, PHONE)) == PHONE


def test_a_call_wakes_no_other_thread(redis, options):
    async def main():
        async with await oncecode.Oncecode.open(redis, **options, deadline_ms=5000) as once:
            await flow(once, PHONE)
            before, begin = wake_ups(), time.monotonic()
            for to in phones(200):
                await flow(once, to)
            looks = (time.monotonic() - begin) / 0.05
            assert wake_ups() - before < 40 + 2 * looks, "for 400 calls"

    for new_loop in (asyncio.new_event_loop, uvloop.new_event_loop):
        run(new_loop, main())


def wake_ups():
    """How often the runtime's thread has slept."""
    tasks = pathlib.Path("/proc/self/task").iterdir()
    ours = [task for task in tasks if (task / "comm").read_text().strip() == "oncecode"]
    assert len(ours) == 1
    status = (ours[0] / "status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])


def test_answers_come_in_time_though_the_loop_does_not_run(redis, new_loop, options):
    deadline = 0.25

    async def main():
        async with await oncecode.Oncecode.open(
            redis, **options, deadline_ms=int(deadline * 1000)
        ) as once:
            for purpose in ("login", "payment"):
                sent = once.codes._native.issue(PHONE, purpose, None, None, None)
                until = time.monotonic() + 2 * deadline
                while time.monotonic() < until:
                    pass  # What an app should not do, and does.
                code = (await sent).code
                await once.codes.verify(to=PHONE, purpose=purpose, code=code)

    run(new_loop, main())


async def test_wait_for_gives_up_and_the_operation_runs_on(redis, options):
    async with await oncecode.Oncecode.open(redis, **options) as once:
        sent = await once.codes.issue(to=PHONE, purpose="login")
        verifying = asyncio.ensure_future(
            once.codes.verify(to=PHONE, purpose="login", code=sent.code)
        )
        await asyncio.sleep(0)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(verifying, timeout=0)
        while await once.codes.peek(to=PHONE, purpose="login"):
            pass
        with pytest.raises(oncecode.CodeNotFound):
            await once.codes.verify(to=PHONE, purpose="login", code=sent.code)


async def test_cancelling_one_caller_leaves_the_others_alone(redis, options):
    async with await oncecode.Oncecode.open(redis, **options, deadline_ms=5000) as once:
        tasks = [asyncio.create_task(flow(once, to)) for to in phones(40)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[::2])
    assert outcomes[1::2] == phones(40)[1::2]


def test_threads_share_a_blocking_client(store, options):
    options.update(deadline_ms=5000, policy={"verify_limit": False})
    with blocking.Oncecode.open(store, **options) as once:
        sent = once.codes.issue(to=PHONE, purpose="login")
        won = []

        def verify():
            with contextlib.suppress(oncecode.CodeNotFound):
                won.append(once.codes.verify(to=PHONE, purpose="login", code=sent.code))

        threads = [threading.Thread(target=verify) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1


async def test_the_blocking_form_works_inside_a_running_loop(redis, options):
    with blocking.Oncecode.open(redis, **options) as once:
        sent = once.codes.issue(to=PHONE, purpose="login")
        assert once.codes.verify(to=PHONE, purpose="login", code=sent.code).identifier == PHONE


def test_a_client_in_a_cycle_is_collected(options):
    class App:
        def __init__(self):
            self.once = blocking.Oncecode.open("memory:", **{**options, "sender": self.send})

        def send(self, message):
            pass

    app = weakref.ref(App())
    gc.collect()
    assert app() is None


def test_without_a_loop_there_is_a_plain_error(options):
    opening = oncecode.Oncecode.open("memory:", **options)
    with pytest.raises(RuntimeError, match="no running event loop"):
        opening.send(None)
