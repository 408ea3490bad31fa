"""Tokens, sessions and links as an app uses them; PyJWT as a second opinion."""

import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

import oncecode

SECRET = "an HS256 secret for the tests only, 0123456789"
PEM = (
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
KEYS = {
    "HS256": lambda: None,
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


@pytest.fixture(params=KEYS)
def key(request):
    """An algorithm, its key for us, and the private and public one for PyJWT."""
    private = KEYS[request.param]()
    if private is None:
        return request.param, SECRET, SECRET, SECRET
    return (
        request.param,
        {"pem": private.private_bytes(*PEM).decode()},
        private,
        private.public_key(),
    )


async def test_pyjwt_verifies_ours(key, open_client, options):
    algorithm, ours, _, public = key
    once = await open_client(
        "memory:", tokens={"keys": [ours], "issuer": "us", "audience": "app"}, **options
    )
    token = await once.tokens.sign({"sub": "ann", "role": "admin"}, ttl_seconds=60)
    claims = jwt.decode(
        token, public, [algorithm], audience="app", issuer="us", options={"require": ["exp", "jti"]}
    )
    assert (claims["sub"], claims["role"], claims["ver"]) == ("ann", "admin", 0)
    assert claims["exp"] - claims["iat"] == 60


async def test_we_verify_pyjwts(key, open_client, options):
    algorithm, ours, private, _ = key
    once = await open_client("memory:", tokens={"keys": [ours]}, **options)
    claims = {"sub": "ann", "exp": int(time.time()) + 60, "deep": [1, {"a": None}, 1.5, True]}
    assert await once.tokens.verify(jwt.encode(claims, private, algorithm)) == claims
    late = jwt.encode({**claims, "exp": int(time.time()) - 1}, private, algorithm)
    with pytest.raises(oncecode.TokenExpired):
        await once.tokens.verify(late)


async def test_pyjwt_verifies_ours_by_our_jwks(open_client, options):
    private = KEYS["ES256"]()
    keys = [{"pem": private.private_bytes(*PEM).decode()}, SECRET]
    once = await open_client("memory:", tokens={"keys": keys}, **options)
    token = await once.tokens.sign({"sub": "ann"})
    published = jwt.PyJWKSet.from_dict(await result(once.tokens.jwks()))
    kid = jwt.get_unverified_header(token)["kid"]
    assert jwt.decode(token, published[kid], ["ES256"])["sub"] == "ann"


async def result(of):
    return await of if hasattr(of, "__await__") else of


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        ({"keys": ["short"]}, "32 bytes"),
        ({"keys": [{"pem": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"}]}, "pem"),
        ({"keys": [{"pem": "no pem"}]}, "pem"),
        ({"keys": [{"jwk": {"kty": "EC", "crv": "P-521"}}]}, "jwk"),
        ({"keys": [{"secret": "-----BEGIN PUBLIC KEY-----" + "x" * 40}]}, "PEM"),
        ({"keys": [{"kid": "a"}]}, "one of secret, pem and jwk"),
        ({"keys": [{"secret": SECRET, "kid": "a"}, {"secret": SECRET, "kid": "a"}]}, "same kid"),
        ({"keys": [SECRET] * 17}, "16"),
        ({"ttl_seconds": 1e9}, "ttl_seconds"),
        ({"leeway_seconds": 601}, "leeway_seconds"),
        ({"cache_seconds": -1}, "cache_seconds"),
    ],
)
async def test_keys_and_rules_that_cannot_work_stop_the_start(tokens, says, open_client, options):
    with pytest.raises(oncecode.Config) as refused:
        await open_client("memory:", tokens=tokens, **options)
    assert says in str(refused.value)
    assert SECRET not in str(refused.value)


async def test_another_client_sees_a_revocation_once_its_cache_is_old(store, open_client, options):
    rules = {"cache_seconds": 0}
    here = await open_client(store, tokens=rules, **options)
    token = await here.tokens.sign({"sub": "ann"})
    await here.tokens.revoke_all("ann")
    with pytest.raises(oncecode.TokenRevoked):
        await here.tokens.verify(token)
    assert (await here.tokens.verify(await here.tokens.sign({"sub": "ann"})))["sub"] == "ann"


async def test_sessions_on_every_store(store, open_client, options):
    once = await open_client(store, **options)
    new = await once.sessions.create(user_id="ann", device="phone", data={"a": [1]})
    found = await once.sessions.validate(new.token, ip="192.0.2.1")
    assert (found.id, found.user_id, found.device, found.data) == (
        new.session.id,
        "ann",
        "phone",
        {"a": [1]},
    )
    assert found.created_at <= found.last_active_at < found.expires_at
    assert [s.id for s in await once.sessions.list("ann")] == [found.id]
    assert new.token not in repr(new)
    assert await once.sessions.revoke_all("ann") == 1
    with pytest.raises(oncecode.SessionNotFound):
        await once.sessions.validate(new.token)


async def test_links_on_every_store(store, open_client, options):
    once = await open_client(store, **options)
    link = await result(
        once.links.issue(to="ann@example.com", purpose="verify", url="https://app.example/v")
    )
    assert link.url == f"https://app.example/v?token={link.token}"
    assert link.token not in repr(link)
    done = await once.links.verify(token=link.token, purpose="verify", to="ann@example.com")
    assert (done.identifier, done.purpose, done.data) == ("ann@example.com", "verify", None)
    with pytest.raises(oncecode.LinkInvalid):
        await once.links.verify(token=link.token, purpose="verify")


@pytest.mark.parametrize(
    "call",
    [
        lambda once: once.sessions.create(user_id=7),
        lambda once: once.sessions.create(user_id="ann", ttl_seconds="1"),
        lambda once: once.sessions.create(user_id="ann", ttl_seconds=float("nan")),
        lambda once: once.sessions.validate(None),
        lambda once: once.sessions.revoke(),
        lambda once: once.tokens.sign("claims"),
        lambda once: once.tokens.sign({"a": float("inf")}),
        lambda once: once.tokens.verify(b"bytes"),
        lambda once: once.links.verify(token=1, purpose="verify"),
    ],
)
async def test_wrong_types_are_refused(call, open_client, options):
    once = await open_client("memory:", **options)
    with pytest.raises(oncecode.InvalidArgument):
        await call(once)
