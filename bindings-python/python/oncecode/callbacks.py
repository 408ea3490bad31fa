"""The app's callbacks, dressed for the native module: nothing that they raise gets lost."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._native import Event, Message, Reply
    from .options import EventCallback, SendCallback

logger = logging.getLogger("oncecode")

# An event loop only keeps weak references to its tasks.
_sending: set[asyncio.Task[None]] = set()


def sending_on_loop(
    send: SendCallback, background: bool
) -> Callable[[Message, Reply, Context], None]:
    """For the asyncio client: a task of its own, on the loop and in the context of the call."""
    awaits = is_async(send)

    async def deliver(message: Message, reply: Reply, context: Context) -> None:
        try:
            if awaits:
                await send(message)  # type: ignore[misc]
            else:
                # A copy: a context can't be entered twice at a time, and events may enter this one.
                call = functools.partial(context.copy().run, send, message)
                answer = await asyncio.get_running_loop().run_in_executor(None, call)
                if inspect.isawaitable(answer):
                    await answer
        except BaseException as exception:
            _failed(reply, exception, background)
            if not isinstance(exception, Exception):
                raise
        else:
            reply.sent()

    def start(message: Message, reply: Reply, context: Context) -> None:
        create_task = asyncio.get_running_loop().create_task
        task = context.run(create_task, deliver(message, reply, context))
        _sending.add(task)
        task.add_done_callback(_sending.discard)

    return start


def sending_in_thread(
    send: SendCallback, background: bool
) -> Callable[[Message, Reply, None], None]:
    """For the blocking client: here and now."""

    def start(message: Message, reply: Reply, _context: None) -> None:
        try:
            answer = send(message)
            if inspect.isawaitable(answer):
                asyncio.run(_await(answer))
        except BaseException as exception:
            _failed(reply, exception, background)
            if not isinstance(exception, Exception):
                raise
        else:
            reply.sent()

    return start


def _failed(reply: Reply, exception: BaseException, background: bool) -> None:
    reply.failed(exception)
    if background:
        # There is nobody for whom it could be the cause of anything.
        logger.error("the callback `sender` raised", exc_info=exception)


def choosing(
    senders: list[SendCallback],
    sending: Callable[[SendCallback, bool], Callable[..., None]],
    background: bool,
) -> Callable[[Message, Reply, Context | None, int], None]:
    """All of the app's senders as one; the native module knows them by their number."""
    dressed = [sending(send, background) for send in senders]

    def start(message: Message, reply: Reply, context: Context | None, which: int) -> None:
        dressed[which](message, reply, context)

    return start


def telling(tell: EventCallback) -> Callable[[Event, Context | None], None]:
    """Calls in the caller's context; logs what is raised."""

    def safely(event: Event, context: Context | None) -> None:
        try:
            tell(event) if context is None else context.run(tell, event)
        except Exception:
            logger.exception("the callback `events` raised")

    return safely


def is_async(function: object) -> bool:
    """Whether calling it makes a coroutine."""
    call = getattr(function, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


async def _await(awaitable: object) -> None:
    await awaitable  # type: ignore[misc]
