"""`once.totp` and pyotp say the same of the same secret."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from urllib.parse import unquote

import pyotp
import pytest
from oncecode import CodeNotFound
from oncecode.blocking import Oncecode

DIGESTS = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}
TIMES = [0, 59, 1_111_111_109, 1_234_567_890, 2_000_000_000, 20_000_000_000]


@pytest.fixture
def once():
    with Oncecode.open("memory:", mode="development", sender="none:") as once:
        yield once


@pytest.mark.parametrize("algorithm", DIGESTS)
@pytest.mark.parametrize("digits", [6, 7, 8])
@pytest.mark.parametrize("period", [30, 60])
def test_each_makes_and_accepts_the_codes_of_the_other(
    once, algorithm, digits, period
) -> None:
    otp = {"algorithm": algorithm, "digits": digits, "period_seconds": period}
    enrolment = once.totp.enrol(issuer="Acme Co", account="ann@example.com", **otp)
    theirs = pyotp.TOTP(
        enrolment.secret, digits=digits, digest=DIGESTS[algorithm], interval=period
    )
    for seconds in TIMES:
        at = datetime.fromtimestamp(seconds, UTC)
        code = theirs.at(at)
        assert once.totp.code(secret=enrolment.secret, at=at, **otp) == code
        step = once.totp.check(secret=enrolment.secret, code=code, at=at, **otp)
        assert step == seconds // period


def test_pyotp_reads_our_uri(once) -> None:
    enrolment = once.totp.enrol(
        issuer="Acme & Co", account="ann@example.com", algorithm="SHA256", digits=8
    )
    read = pyotp.parse_uri(enrolment.uri)
    assert (read.secret, read.digits, read.interval) == (enrolment.secret, 8, 30)
    assert (unquote(read.issuer), unquote(read.name)) == (
        "Acme & Co",
        "ann@example.com",
    )
    assert once.totp.check(
        secret=enrolment.secret, code=read.now(), algorithm="SHA256", digits=8
    )


def test_counters_agree(once) -> None:
    secret = pyotp.random_base32()
    theirs = pyotp.HOTP(secret)
    for counter in [0, 1, 9, 2**31, 2**40]:
        assert once.totp.code(secret=secret, counter=counter) == theirs.at(counter)


def test_a_code_that_pyotp_takes_twice_is_taken_once(once) -> None:
    secret = pyotp.random_base32()
    code = pyotp.TOTP(secret).now()
    once.totp.verify(user="ann", secret=secret, code=code)
    assert pyotp.TOTP(secret).verify(code, valid_window=1)
    with pytest.raises(CodeNotFound):
        once.totp.verify(user="ann", secret=secret, code=code)
