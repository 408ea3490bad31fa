"""Forked processes, and the end of a process."""

import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import asyncio, os, signal, sys, threading
import oncecode
from oncecode import blocking
url, prefix = sys.argv[1:]
OPTIONS = dict(mode="development", sender="none:", key_prefix=prefix, deadline_ms=5000)
signal.alarm(30)

async def flow(once, to):
    sent = await once.codes.issue(to=to, purpose="login")
    done = await once.codes.verify(to=to, purpose="login", code=sent.code)
    assert done.identifier == to

def flow_sync(once, to):
    sent = once.codes.issue(to=to, purpose="login")
    done = once.codes.verify(to=to, purpose="login", code=sent.code)
    assert done.identifier == to

def in_child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
            code = 1
        sys.stderr.flush()
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def python(program: str, url: str, options: dict) -> str:
    """What a Python process says, which must end well and quietly."""
    command = [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(program)]
    done = subprocess.run(
        [*command, url, options["key_prefix"]], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_client_opened_before_a_fork_works_in_parent_and_child(store, options, loop):
    program = f"""
        import {loop}
        once = {loop}.run(oncecode.Oncecode.open(url, **OPTIONS))
        {loop}.run(flow(once, "+919800000001"))
        in_child(lambda: {loop}.run(flow(once, "+919800000002")))
        {loop}.run(flow(once, "+919800000003"))
        in_child(lambda: in_child(lambda: {loop}.run(flow(once, "+919800000004"))))
        {loop}.run(flow(once, "+919800000005"))
        {loop}.run(once.close())
    """
    python(program, store, options)


def test_a_blocking_client_opened_before_a_fork_works_in_parent_and_child(store, options):
    program = """
        once = blocking.Oncecode.open(url, **OPTIONS)
        flow_sync(once, "+919800000001")
        in_child(lambda: flow_sync(once, "+919800000002"))
        flow_sync(once, "+919800000003")
        once.close()
    """
    python(program, store, options)


def test_a_fork_with_calls_under_way_harms_neither(store, options):
    program = """
        once = blocking.Oncecode.open(url, **OPTIONS)
        def flows(first, count):
            for n in range(first, first + count):
                flow_sync(once, f"+9198{n:08}")
        threads = [threading.Thread(target=flows, args=(n * 1000, 100)) for n in range(4)]
        for thread in threads: thread.start()
        for n in range(10):
            in_child(lambda: flows(10_000 + n * 10, 5))
        for thread in threads: thread.join()
        flow_sync(once, "+919800009999")
    """
    python(program, store, options)


def test_children_that_close_or_drop_a_client_leave_the_parents_alone(redis, options):
    program = """
        once = [blocking.Oncecode.open(url, **OPTIONS)]
        flow_sync(once[0], "+919800000001")
        in_child(once[0].close)
        flow_sync(once[0], "+919800000002")
        in_child(once.clear)
        flow_sync(once[0], "+919800000003")
        once[0].close()
        def closed():
            try:
                flow_sync(once[0], "+919800000004")
            except oncecode.Closed:
                return
            raise AssertionError
        in_child(closed)
    """
    python(program, redis, options)


def test_a_fork_in_a_running_loop_leaves_the_parent_alone(redis, options):
    program = """
        def in_thread(function, argument):
            failed = []
            def work():
                try:
                    function(argument)
                except BaseException as error:
                    failed.append(error)
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            assert failed == []
        async def main():
            async with await oncecode.Oncecode.open(url, **OPTIONS) as once:
                await flow(once, "+919800000001")
                in_child(lambda: in_thread(asyncio.run, flow(once, "+919800000002")))
                await flow(once, "+919800000003")
        asyncio.run(main())
    """
    python(program, redis, options)


def test_a_process_ends_with_an_open_client_and_calls_outstanding(store, options):
    program = """
        async def main():
            global once, tasks
            once = await oncecode.Oncecode.open(url, **OPTIONS)
            peek = lambda: once.codes.peek(to="ann@example.com", purpose="login")
            tasks = [asyncio.create_task(peek()) for _ in range(100)]
            await asyncio.sleep(0)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        for task in tasks: task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        print("end")
    """
    assert python(program, store, options) == "end\n"


def test_a_process_ends_while_a_thread_waits(redis, options):
    program = """
        once = blocking.Oncecode.open(url, **OPTIONS)
        def forever():
            while True:
                once.codes.peek(to="ann@example.com", purpose="login")
        threading.Thread(target=forever, daemon=True).start()
        flow_sync(once, "+919800000001")
        print("end")
    """
    assert python(program, redis, options) == "end\n"


def test_ctrl_c_interrupts_a_waiting_thread(redis, options):
    program = """
        # Started in the background by a shell, a process ignores it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        def send(message):
            signal.raise_signal(signal.SIGINT)
        once = blocking.Oncecode.open(url, **{**OPTIONS, "sender": send})
        try:
            once.codes.issue(to="ann@example.com", purpose="login")
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert python(program, redis, options) == "interrupted\n"
