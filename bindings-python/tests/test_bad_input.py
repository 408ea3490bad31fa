"""Whatever comes in, a typed error says what to change, and nothing is written."""

import datetime
import math

import pytest

import oncecode
from conftest import PHONE
from oncecode import (
    CodeNotFound,
    Config,
    InvalidArgument,
    InvalidCode,
    InvalidEmail,
    InvalidPhone,
)

HUGE = "9" * 1_000_000
SURROGATE = "\ud800"
DEEP = []
for _ in range(500):
    DEEP = [DEEP]
CYCLE = []
CYCLE.append(CYCLE)

ADDRESSES = [
    (None, InvalidArgument),
    (14158675309, InvalidArgument),
    (b"+14158675309", InvalidArgument),
    (["+14158675309"], InvalidArgument),
    (SURROGATE, InvalidArgument),
    ("", InvalidPhone),
    (HUGE, InvalidPhone),
    ("+1415867\x005309", InvalidPhone),
    ("🙂", InvalidPhone),
    ("+1555", InvalidPhone),
    ("a@b", InvalidEmail),
    (HUGE + "@example.com", InvalidEmail),
    ("a\0@example.com", InvalidEmail),
]
OTHERS = [
    ({"purpose": None}, "purpose"),
    ({"purpose": 1}, "purpose"),
    ({"purpose": ""}, "purpose"),
    ({"purpose": HUGE}, "purpose"),
    ({"purpose": "lo\0gin"}, "purpose"),
    ({"purpose": "anmelden🙂"}, "purpose"),
    ({"purpose": SURROGATE}, "purpose"),
    ({"ip": 2130706433}, "ip"),
    ({"ip": b"127.0.0.1"}, "ip"),
    ({"ip": ""}, "ip"),
    ({"ip": "localhost"}, "ip"),
    ({"ip": HUGE}, "ip"),
    ({"locale": 1}, "locale"),
    ({"locale": SURROGATE}, "locale"),
    ({"data": b"bytes"}, "data"),
    ({"data": {1: "a"}}, "data"),
    ({"data": {"a": {1, 2}}}, "data"),
    ({"data": math.nan}, "data"),
    ({"data": [math.inf]}, "data"),
    ({"data": 2**64}, "data"),
    ({"data": SURROGATE}, "data"),
    ({"data": {SURROGATE: 1}}, "data"),
    ({"data": datetime.datetime(2026, 1, 1)}, "data"),
    ({"data": HUGE}, "data"),
    ({"data": DEEP}, "data"),
    ({"data": CYCLE}, "data"),
]
CODES = [
    (None, InvalidArgument),
    (123456, InvalidArgument),
    (b"123456", InvalidArgument),
    (SURROGATE, InvalidArgument),
    ("", InvalidCode),
    (HUGE, InvalidCode),
    ("12345", InvalidCode),
    ("12\x003456", InvalidCode),
    ("🙂" * 6, InvalidCode),
]


async def test_bad_addresses_are_refused_and_nothing_is_written(open_client, options):
    messages = []
    once = await open_client("memory:", **{**options, "sender": messages.append})
    for address, kind in ADDRESSES:
        with pytest.raises(kind) as refused:
            await once.codes.issue(to=address, purpose="login")
        assert kind is not InvalidArgument or "to must be" in str(refused.value)
    assert messages == []


async def test_bad_arguments_are_refused_by_name_and_nothing_is_written(open_client, options):
    messages = []
    once = await open_client("memory:", **{**options, "sender": messages.append})
    for bad, name in OTHERS:
        with pytest.raises(InvalidArgument, match=name):
            await once.codes.issue(**{"to": PHONE, "purpose": "login", **bad})
    assert messages == []
    assert await once.codes.peek(to=PHONE, purpose="login") is None


async def test_bad_codes_cost_no_attempt(open_client, options):
    once = await open_client("memory:", **options)
    sent = await once.codes.issue(to=PHONE, purpose="login")
    for code, kind in CODES:
        with pytest.raises(kind):
            await once.codes.verify(to=PHONE, purpose="login", code=code)
    assert (await once.codes.peek(id=sent.id, purpose="login")).attempts_left == 5


async def test_bad_ids_name_nothing(open_client, options):
    once = await open_client("memory:", **options)
    for bad in ("", HUGE, "\0", "🙂"):
        with pytest.raises(CodeNotFound):
            await once.codes.verify(id=bad, purpose="login", code="000000")
    for bad in (1, b"id", SURROGATE):
        with pytest.raises(InvalidArgument, match="id must be"):
            await once.codes.verify(id=bad, purpose="login", code="000000")
    with pytest.raises(InvalidArgument, match="`to` or `id`"):
        await once.codes.verify(purpose="login", code="000000")


async def test_a_bad_limit_of_purge_is_refused(open_client, options):
    once = await open_client("memory:", **options)
    for bad in (-1, 2**32, 1.5, "1", None, True):
        with pytest.raises(InvalidArgument, match="limit"):
            await once.purge(limit=bad)


OPTIONS = [
    ({"secret": 7}, "secret"),
    ({"secret": b"bytes"}, "secret"),
    ({"secret": ""}, "secret"),
    ({"secret": []}, "secret"),
    ({"secret": [7]}, "secret"),
    ({"secret": SURROGATE}, "secret"),
    ({"index_secret": 7}, "secret"),
    ({"index_secret": ["a"]}, "secret"),
    ({"mode": "prod"}, "mode"),
    ({"mode": 7}, "mode"),
    ({"policy": []}, "policy"),
    ({"policy": "strict"}, "policy"),
    ({"policy": {"ttl_seconds": -1}}, "ttl_seconds"),
    ({"policy": {"ttl_seconds": 0}}, "ttl_seconds"),
    ({"policy": {"ttl_seconds": "600"}}, "ttl_seconds"),
    ({"policy": {"ttl_seconds": 1e300}}, "ttl_seconds"),
    ({"policy": {"ttl_seconds": math.nan}}, "policy"),
    ({"policy": {"max_attempts": 0}}, "max_attempts"),
    ({"policy": {"max_attempts": 10**9}}, "max_attempts"),
    ({"policy": {"max_attempts": 2.5}}, "max_attempts"),
    ({"policy": {"code_length": 3}}, "code_length"),
    ({"policy": {"code_length": -6}}, "code_length"),
    ({"policy": {"code_alphabet": "emoji"}}, "code_alphabet"),
    ({"policy": {"issue_limit": {"max": 0, "window_seconds": 1}}}, "issue_limit"),
    ({"policy": {"issue_limit": 3}}, "limit"),
    ({"policy": {"resend": "maybe"}}, "resend"),
    ({"policy": {"surprise": 1}}, "surprise"),
    ({"policy": {b"key": 1}}, "policy"),
    ({"purposes": {"login": 1}}, "purposes"),
    ({"purposes": {"login": {"ttl_seconds": -1}}}, "ttl_seconds"),
    ({"sender": 7}, "sender"),
    ({"sender": "pigeon:"}, "sender"),
    ({"sender": ""}, "sender"),
    ({"events": "log"}, "events"),
    ({"app_name": 7}, "app_name"),
    ({"default_region": "Atlantis"}, "default_region"),
    ({"default_region": 49}, "default_region"),
    ({"key_prefix": 7}, "key_prefix"),
    ({"key_prefix": HUGE}, "prefix"),
    ({"readable_keys": "yes"}, "readable_keys"),
    ({"deadline_ms": 0}, "deadline_ms"),
    ({"deadline_ms": -1}, "deadline_ms"),
    ({"deadline_ms": "fast"}, "deadline_ms"),
    ({"send_deadline_ms": math.inf}, "send_deadline_ms"),
    ({"table_prefix": "Drop table "}, "table_prefix"),
    ({"schema": 'a"b'}, "schema"),
    ({"max_connections": 0}, "max_connections"),
    ({"max_connections": -1}, "max_connections"),
    ({"surprise": 1}, "surprise"),
    ({SURROGATE: 1}, "option"),
]


@pytest.mark.parametrize(("bad", "name"), OPTIONS, ids=[repr(bad)[:50] for bad, _ in OPTIONS])
async def test_options_that_cannot_work_are_refused_by_name(open_client, options, bad, name):
    with pytest.raises(Config) as refused:
        await open_client("memory:", **{**options, **bad})
    assert name in str(refused.value)


URLS = [None, 7, b"memory:", "", "memory", "mongodb://x", "\0", SURROGATE, HUGE, "redis://[", "🙂:"]


@pytest.mark.parametrize("url", URLS, ids=[repr(url)[:20] for url in URLS])
async def test_urls_that_name_no_store_are_refused(open_client, options, url):
    with pytest.raises(Config, match=r"URL|url|scheme"):
        await open_client(url, **options)


async def test_production_wants_a_long_secret_and_a_real_sender(open_client):
    for bad, words in [
        ({}, "secret is required"),
        ({"secret": "short"}, "32 bytes"),
        ({"secret": "s" * 32}, "sender"),
        ({"secret": "s" * 32, "sender": "console:"}, "production"),
        ({"secret": "s" * 32, "sender": print, "readable_keys": True}, "readable_keys"),
    ]:
        with pytest.raises(Config, match=words):
            await open_client("memory:", **bad)


async def test_no_message_repeats_a_secret(open_client):
    for bad in (
        {"secret": ["hunter2hunter2", 7]},
        {"secret": {"hunter2": 1}},
        {"secret": "hunter2"},
    ):
        with pytest.raises(Config) as refused:
            await open_client("memory:", **bad)
        assert "hunter2" not in repr(refused.value)
        assert refused.value.__cause__ is None


def test_nothing_private_can_be_made_by_hand():
    for kind in (oncecode.Sent, oncecode.Verified, oncecode.Peek, oncecode.Event, oncecode.Message):
        with pytest.raises(TypeError):
            kind()
