"""The same through a Cluster, Sentinels, TLS, a pooler, and other versions of the servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.codes import PHONE, wrong
from support.stores import OTHERS, Store, store_in
from support.workers import Failed, Pair


@pytest.fixture(params=OTHERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    return store_in(tmp_path, request.param)


def test_a_code_works_once_and_guesses_are_counted_across_languages(pair: Pair) -> None:
    first, second = pair(policy={"cooldownSeconds": 0})
    sent = first.issue(to=PHONE, data={"naïve": [1, None]})
    for left, client in zip([4, 3, 2], [second, first, second], strict=True):
        with pytest.raises(Failed, match="WRONG_CODE") as refused:
            client.verify(wrong(sent.code), to=PHONE)
        assert refused.value.attempts_left == left
    assert second.verify(sent.code, to=PHONE, id=sent.id).data == {"naïve": [1, None]}
    for again in (first, second):
        with pytest.raises(Failed, match="CODE_NOT_FOUND"):
            again.verify(sent.code, to=PHONE)
    resent = second.resend(to=PHONE)
    assert first.verify(resent.code, to=PHONE).identifier == PHONE


def test_limits_and_locks_are_one_across_languages(pair: Pair) -> None:
    few = {"max": 3, "windowSeconds": 600}
    first, second = pair(limits={"few": {"limits": [few, {**few, "max": 9}]}})
    for left, client in zip([2, 1, 0], [first, second, first], strict=True):
        hit = client.call("limits.hit", limit="few", key="ann", ip="203.0.113.9")
        assert hit["remaining"] == left
    for client in (first, second):
        with pytest.raises(Failed, match="RATE_LIMITED"):
            client.call("limits.hit", limit="few", key="ann")
    name, ttl = "report", 30
    held = first.call("locks.acquire", name=name, ttlSeconds=ttl)
    with pytest.raises(Failed, match="LOCKED"):
        second.call("locks.acquire", name=name, ttlSeconds=ttl, waitSeconds=0)
    assert first.call("locks.release", name=name, token=held["token"]) is True
    again = second.call("locks.acquire", name=name, ttlSeconds=ttl)
    assert again["fence"] > held["fence"]
    assert second.call("locks.release", name=name, token=again["token"]) is True
