"""What one language did is what the other goes on from."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.codes import PHONE, wrong
from support.stores import Store
from support.workers import Failed, Pair

AT_ONCE = {"cooldownSeconds": 0}


def test_a_code_of_one_language_verifies_exactly_once_in_the_other(pair: Pair) -> None:
    first, second = pair()
    sent = first.issue(to="+1 (415) 867-5309")
    done = second.verify(sent.code, to=PHONE)
    assert (done.identifier, done.purpose) == (PHONE, "login")
    for again in (first, second):
        with pytest.raises(Failed, match="CODE_NOT_FOUND"):
            again.verify(sent.code, to=PHONE)


def test_wrong_guesses_are_counted_across_languages(pair: Pair) -> None:
    first, second = pair()
    sent = first.issue(to=PHONE)
    for left, client in zip([4, 3, 2, 1, 0], [second, first] * 3, strict=False):
        with pytest.raises(Failed, match="WRONG_CODE") as refused:
            client.verify(wrong(sent.code), to=PHONE)
        assert refused.value.attempts_left == left
    for client in (first, second):
        with pytest.raises(Failed, match="TOO_MANY_ATTEMPTS"):
            client.verify(sent.code, to=PHONE)


def test_a_refusal_reads_the_same_in_both(pair: Pair) -> None:
    clients = pair(policy={"verifyLimit": {"max": 2, "windowSeconds": 900}})
    sent = clients[0].issue(to=PHONE)
    said: dict[str, list[tuple[object, ...]]] = {}
    for client in clients:
        answers = said[client.worker.language] = []
        for do, given in [
            ("verify", {"code": wrong(sent.code)}),
            ("issue", {}),
            ("verify", {"code": "12"}),
        ]:
            with pytest.raises(Failed) as refused:
                client.call(do, to=PHONE, purpose="login", **given)
            error = refused.value
            answers.append((error.code, error.status, error.retryable, str(error)))
    one, other = said.values()
    assert one == other
    assert [code for code, *_ in one] == ["WRONG_CODE", "COOLDOWN", "INVALID_CODE"]


def test_an_id_of_one_language_binds_the_code_in_the_other(pair: Pair) -> None:
    first, second = pair(policy=AT_ONCE)
    old = first.issue(to=PHONE)
    sent = first.issue(to=PHONE)
    with pytest.raises(Failed, match="CODE_NOT_FOUND"):
        second.verify(sent.code, to=PHONE, id=old.id)
    assert second.verify(sent.code, id=sent.id).identifier == PHONE


def test_a_resend_in_the_other_language_replaces_the_code_and_keeps_data(
    pair: Pair,
) -> None:
    first, second = pair(policy=AT_ONCE)
    old = first.issue(to=PHONE, data={"next": "/home"})
    sent = second.resend(id=old.id)
    with pytest.raises(Failed, match="CODE_NOT_FOUND"):
        first.verify(old.code, id=old.id)
    assert first.verify(sent.code, to=PHONE).data == {"next": "/home"}


def test_a_kept_code_is_sent_again_by_the_other_language(pair: Pair) -> None:
    first, second = pair(policy={**AT_ONCE, "resend": "keep"})
    sent = first.issue(to=PHONE)
    again = second.resend(to=PHONE)
    assert (again.id, again.code) == (sent.id, sent.code)


def test_the_cooldown_holds_in_the_other_language(pair: Pair) -> None:
    first, second = pair()
    first.issue(to=PHONE)
    for again in (second.issue, second.resend):
        with pytest.raises(Failed, match="COOLDOWN") as refused:
            again(to=PHONE)
        assert 1 <= (refused.value.retry_after_seconds or 0) <= 60


def test_a_code_cancelled_in_the_other_language_is_dead(pair: Pair) -> None:
    first, second = pair()
    sent = first.issue(to=PHONE)
    assert second.cancel(id=sent.id) is True
    assert first.cancel(to=PHONE) is False
    with pytest.raises(Failed, match="CODE_NOT_FOUND"):
        first.verify(sent.code, to=PHONE)


def test_both_languages_see_the_same_live_challenge(pair: Pair) -> None:
    first, second = pair()
    assert second.peek(to=PHONE) is None
    sent = first.issue(to=PHONE)
    with pytest.raises(Failed, match="WRONG_CODE"):
        second.verify(wrong(sent.code), to=PHONE)
    for client in (first, second):
        live = client.peek(to=PHONE)
        assert live is not None
        assert (live.id, live.attempts_left) == (sent.id, 4)
        assert abs(live.expires_at - sent.expires_at) < timedelta(seconds=1)
        assert abs(live.resend_at - sent.resend_at) < timedelta(seconds=1)


DATA = [
    {"next": "/home", "list": [1, 2.5, -3, True, None, {"deep": {"er": [[], {}]}}]},
    "naïve 🙂 \u2028 \x00 \\ \" ' ١٢٣ 日本語",
    {"ключ 🗝": {"": ["é", "e\u0301"]}},
    [2**53 - 1, -(2**53) + 1, 1e-7, 1e21],
    False,
    0,
    "",
    None,
]


@pytest.mark.parametrize("data", DATA, ids=lambda data: type(data).__name__)
def test_data_comes_back_as_it_was(pair: Pair, data: object) -> None:
    first, second = pair()
    sent = first.issue(to=PHONE, data=data)
    back = second.verify(sent.code, to=PHONE).data
    assert back == data
    assert type(back) is type(data)


def test_the_code_that_ones_own_sender_got_verifies_in_the_other(
    pair: Pair, store: Store
) -> None:
    first, second = pair(sends=True, mode="production", secret="s" * 32)
    sent = first.issue(to="Ann@Example.com")
    [message] = store.sent()
    assert sent.code == ""
    assert (message["to"], message["id"]) == ("ann@example.com", sent.id)
    done = second.verify(message["code"], to="ann@example.com")
    assert done.identifier == "ann@example.com"
