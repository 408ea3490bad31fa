"""A pytest plugin that points the tests of redis-py's Lock at `once.locks`."""

from __future__ import annotations

import os
import uuid
from types import SimpleNamespace

import oncecode
import pytest
from choice import choose
from oncecode.blocking import Oncecode
from redis.exceptions import LockError, LockNotOwnedError

# What theirs may do without: a lease always ends.
LEASE_SECONDS = 60
NOT_OURS = {
    "test_lock": "looks at redis-py's key",
    "test_lock_token": "looks at redis-py's key",
    "test_lock_token_thread_local_false": "looks at redis-py's key",
    "test_context_manager": "looks at redis-py's key",
    "test_owned_with_decoded_responses": "about redis-py's connections",
    "test_lock_class_argument": "about redis-py's client",
    "test_blocking_timeout": "with redis-py's own clock",
    "test_context_manager_blocking_timeout": "with redis-py's own clock",
    "test_high_sleep_small_blocking_timeout": "with redis-py's own clock",
    "test_extending_lock_with_no_timeout_raises_error": "no lock of ours is for ever",
    "test_reacquiring_lock_with_no_timeout_raises_error": "no lock of ours is for ever",
    "test_context_manager_reacquiring_lock_with_no_timeout_raises_error": "no lock of ours is for ever",
}


def pytest_collection_modifyitems(config, items) -> None:
    choose(config, items, NOT_OURS)


class Lock:
    """Theirs from outside, ours from inside."""

    def __init__(
        self,
        locks,
        name,
        timeout=None,
        blocking=True,
        blocking_timeout=None,
        raise_on_release_error=True,
    ) -> None:
        self.locks, self.name, self.lease = locks, name, timeout or LEASE_SECONDS
        self.blocking, self.wait = blocking, blocking_timeout
        self.strict = raise_on_release_error
        self.held = None

    def acquire(self, blocking=None) -> bool:
        if self.blocking if blocking is None else blocking:
            try:
                self.held = self.locks.acquire(
                    self.name, ttl_seconds=self.lease, wait_seconds=self.wait
                )
            except oncecode.Locked:
                return False
        else:
            self.held = self.locks.try_acquire(self.name, ttl_seconds=self.lease)
        return self.held is not None

    def release(self) -> None:
        held, self.held = self.ours(), None
        if not held.release():
            raise LockNotOwnedError("lost")

    def extend(self, seconds, replace_ttl=False) -> bool:
        held = self.ours()
        rest = 0 if replace_ttl else held.remaining_seconds
        try:
            held.extend(ttl_seconds=rest + seconds)
        except oncecode.LeaseLost as lost:
            raise LockNotOwnedError("lost") from lost
        return True

    def reacquire(self) -> bool:
        return self.extend(self.lease, replace_ttl=True)

    def locked(self) -> bool:
        free = self.locks.try_acquire(self.name, ttl_seconds=self.lease)
        return free is None or not free.release()

    def owned(self) -> bool:
        return self.held is not None and not self.held.lost

    @property
    def local(self) -> SimpleNamespace:
        return SimpleNamespace(token=self.held and self.held.token)

    def ours(self):
        if self.held is None:
            raise LockError("not locked")
        return self.held

    def __enter__(self):
        if not self.acquire():
            raise LockError("taken")
        return self

    def __exit__(self, *_) -> None:
        try:
            self.release()
        except LockError:
            if self.strict:
                raise


class Server:
    """What the suite does behind the lock's back, done by another client of ours."""

    def __init__(self, once) -> None:
        self.locks, self.own, self.made = once.locks, uuid.uuid4().hex, []

    def lock(self, name, lock_class=None, **options) -> Lock:
        self.made.append(Lock(self.locks, self.named(name), **options))
        return self.made[-1]

    def named(self, name) -> str:
        return f"{name}-{self.own}"

    def holder(self):
        return next((lock.held for lock in self.made if lock.held), None)

    def set(self, name, _) -> None:
        """The lock is somebody else's now."""
        if held := self.holder():
            self.locks.release(self.named(name), token=held.token)
        assert self.locks.try_acquire(self.named(name), ttl_seconds=LEASE_SECONDS)

    def pexpire(self, name, ms) -> bool:
        self.holder().extend(ttl_seconds=ms / 1000)
        return True

    def ttl(self, name) -> float:
        return self.holder().remaining_seconds

    def pttl(self, name) -> float:
        return self.ttl(name) * 1000


@pytest.fixture
def r():
    url = os.environ["ONCECODE_TEST_REDIS"]
    with Oncecode.open(
        url, mode="development", sender="none:", deadline_ms=5000
    ) as once:
        yield Server(once)
