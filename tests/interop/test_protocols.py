"""One process speaks Redis' protocol, the other REST: what they see is the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.codes import PHONE, wrong
from support.stores import Store, store_in
from support.workers import Client, Failed, Language, Worker

Pair = tuple[Client, Client]

LANGUAGES: list[tuple[Language, Language]] = [("node", "python"), ("python", "node")]
PROTOCOLS = [("redis", "upstash"), ("upstash", "redis")]


@pytest.fixture(params=PROTOCOLS, ids="-to-".join)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Store]]:
    """The same part of the same server by both protocols."""
    first, second = (store_in(tmp_path, name) for name in request.param)
    yield [first, Store(second.name, second.url, second.messages, first.key_prefix)]
    first.assert_all_keys_expire()


@pytest.fixture(params=LANGUAGES, ids="-".join)
def pair(
    request: pytest.FixtureRequest, crew: list[Worker], stores: list[Store]
) -> Iterator[Pair]:
    speaking = {worker.language: worker for worker in crew}
    first, second = (
        store.open(speaking[language], policy={"cooldownSeconds": 0})
        for store, language in zip(stores, request.param, strict=True)
    )
    yield first, second
    first.close()
    second.close()


def test_a_code_of_one_protocol_verifies_once_over_the_other(pair: Pair) -> None:
    first, second = pair
    sent = first.issue(to=PHONE, data={"naïve": [1, None]})
    assert second.verify(sent.code, to=PHONE).data == {"naïve": [1, None]}
    for again in pair:
        with pytest.raises(Failed, match="CODE_NOT_FOUND"):
            again.verify(sent.code, to=PHONE)


def test_attempts_over_both_protocols_are_one_budget(pair: Pair) -> None:
    first, second = pair
    sent = first.issue(to=PHONE)
    for left, client in zip([4, 3, 2, 1, 0], [second, first] * 3, strict=False):
        with pytest.raises(Failed, match="WRONG_CODE") as refused:
            client.verify(wrong(sent.code), to=PHONE)
        assert refused.value.attempts_left == left
    for client in pair:
        with pytest.raises(Failed, match="TOO_MANY_ATTEMPTS"):
            client.verify(sent.code, to=PHONE)


def test_what_one_protocol_cancels_or_resends_the_other_sees(pair: Pair) -> None:
    first, second = pair
    old = first.issue(to=PHONE)
    new = second.resend(to=PHONE)
    with pytest.raises(Failed, match="CODE_NOT_FOUND"):
        first.verify(old.code, id=old.id)
    live = first.peek(to=PHONE)
    assert live is not None
    assert live.id == new.id
    assert first.cancel(to=PHONE) is True
    assert second.peek(to=PHONE) is None


def test_a_limit_per_address_of_the_network_counts_over_both(
    crew: list[Worker], stores: list[Store]
) -> None:
    policy = {"ipIssueLimit": {"max": 3, "windowSeconds": 900}}
    clients = [store.open(crew[0], policy=policy) for store in stores]
    for number in range(3):
        clients[number % 2].issue(to=f"user{number}@example.com", ip="192.0.2.1")
    for client in clients:
        with pytest.raises(Failed, match="RATE_LIMITED"):
            client.issue(to="user4@example.com", ip="192.0.2.1")
        client.close()
