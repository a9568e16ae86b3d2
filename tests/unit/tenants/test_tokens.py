"""Tokens that are good, and every way in which one is not."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway_worker.errors import DependencyError
from gateway_worker.tenants.grants import EVERYTHING, NOTHING, Grant
from gateway_worker.tenants.keys import NO_KEYS, Keys
from gateway_worker.tenants.settings import TenantSettings
from gateway_worker.tenants.tokens import MAX_TOKEN_BYTES, KeyMap, TokenVerifier, read_keys
from gateway_worker.tenants.verifying import Claims

RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
SECRET = "a secret that has thirty-two bytes, and sixteen more"
ALL = "RS256,ES256,EdDSA,HS256"
PRIVATE: Mapping[str, Any] = {"RS256": RSA, "ES256": EC, "EdDSA": ED, "HS256": SECRET}
ACME = Grant(tenant="acme")
KEEP_SECONDS = 3_600.0
HOLD_SECONDS = 900.0


def published() -> dict[str, Any]:
    """Return the keys as an issuer publishes them."""
    listed = [
        {**RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "kid": "RS256", "use": "sig"},
        {**ECAlgorithm.to_jwk(EC.public_key(), as_dict=True), "kid": "ES256"},
        {**OKPAlgorithm.to_jwk(ED.public_key(), as_dict=True), "kid": "EdDSA"},
    ]
    return {"keys": listed}


class Issuer:
    """Publishes keys, as long as it is there."""

    def __init__(self) -> None:
        self.document: dict[str, Any] | None = published()

    async def read(self) -> bytes:
        """Return what is published."""
        if self.document is None:
            raise DependencyError("nobody answers")
        return json.dumps(self.document).encode()


class Gateway:
    """A verifier with its keys."""

    def __init__(self, **settings: object) -> None:
        self.issuer = Issuer()
        self.now = 1_000.0
        self.settings = TenantSettings.model_validate(
            {
                "mode": "jwt",
                "jwt_jwks": "https://idp.example/keys",
                "jwt_audience": "gateway",
                "jwt_leeway_seconds": 0,
                **settings,
            }
        )
        none: KeyMap = {}
        self.keys: Keys[KeyMap] = Keys(
            read=self.issuer.read,
            parse=lambda document: read_keys(document, algorithms=self.settings.algorithms),
            none=none,
            refresh_seconds=300,
            keep_seconds=KEEP_SECONDS,
            hold_seconds=HOLD_SECONDS,
            clock=lambda: self.now,
        )
        self.verifier = TokenVerifier(keys=self.keys, settings=self.settings)

    def grant(self, token: str | None, **claims: Any) -> Grant:
        """Return what a message with this token may do."""
        authorization = None if token is None else f"Bearer {token}"
        return self.verifier.verify(Claims(authorization=authorization, **claims))


async def gateway(**settings: Any) -> Gateway:
    """Return a gateway that has read the keys."""
    made = Gateway(**settings)
    await made.keys.refresh()
    return made


def claims(**more: object) -> dict[str, Any]:
    """Return what a good token says, and more, or something else."""
    good = {"tenant_id": "acme", "aud": "gateway", "exp": time.time() + 600}
    return {name: value for name, value in {**good, **more}.items() if value is not None}


def signed(
    algorithm: str = "RS256", *, key: Any = None, kid: str | None = "", **more: object
) -> str:
    """Return a token."""
    headers = {} if kid is None else {"kid": kid or algorithm}
    return jwt.encode(
        claims(**more), PRIVATE[algorithm] if key is None else key, algorithm, headers=headers
    )


def forged(header: Mapping[str, object], signature: bytes = b"") -> str:
    """Return a token with this header, as its sender likes it."""
    parts = (json.dumps(header).encode(), json.dumps(claims()).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def nested() -> str:
    """Return a token whose header no parser follows to its end."""
    header = base64.urlsafe_b64encode(b'{"alg": "RS256", "x": ' + b"[" * 5_000)
    return f"{header.rstrip(b'=').decode()}.e30.AAAA"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_signed_tokens_are_taken(algorithm: str) -> None:
    """Again and again, with the same token and with another one."""
    made = await gateway()
    for _ in range(2):
        token = signed(algorithm)
        assert (made.grant(token), made.grant(token)) == (ACME, ACME)


async def test_what_a_token_grants() -> None:
    """Sessions and actions as it says; whatever else it says means nothing."""
    made = await gateway()
    limited = signed(sessions=["support", "eu-*"], actions=["message.send"], scope="everything")

    assert made.grant(limited) == Grant(
        tenant="acme", sessions=("support", "eu-*"), actions=("message.send",)
    )
    assert made.grant(signed(sessions=[], actions=[])) == Grant(
        tenant="acme", sessions=(), actions=()
    )


async def test_an_operator_needs_no_token() -> None:
    """The broker has verified them."""
    made = await gateway()

    assert made.grant(None, user_id="gateway-operator") is EVERYTHING
    assert made.grant(None, user_id="gateway-backend-acme") is NOTHING


def wrong() -> dict[str, str]:
    """Return tokens that are not good, by what is wrong with them."""
    now = time.time()
    public = base64.urlsafe_b64encode(json.dumps(published()).encode()).decode()
    good = signed()
    head, body, signature = good.split(".")
    other_body = signed(tenant_id="mallory").split(".")[1]
    return {
        "nothing at all": "",
        "no token": "acme",
        "alg none": forged({"alg": "none", "typ": "JWT", "kid": "RS256"}),
        "alg none, spelt otherwise": forged({"alg": "nOnE", "kid": "RS256"}),
        "no alg": forged({"kid": "RS256"}),
        "a header that is nested too deeply": nested(),
        "alg as a list": forged({"alg": ["RS256"], "kid": "RS256"}),
        "another key": signed(key=OTHER_RSA),
        "another key's id": signed("ES256", kid="RS256"),
        "an unknown id": signed(kid="next"),
        "no id": signed(kid=None),
        "an algorithm that is not allowed": jwt.encode(
            claims(), RSA, "RS512", headers={"kid": "RS256"}
        ),
        "HS256 where nobody has configured it": signed("HS256"),
        "HS256 with what is public": jwt.encode(
            claims(), public, "HS256", headers={"kid": "RS256"}
        ),
        "a header of whom it would be critical": forged(
            {"alg": "RS256", "kid": "RS256", "crit": ["b64"], "b64": False}, b"x"
        ),
        "expired": signed(exp=now - 1),
        "expiry as a text": signed(exp="tomorrow"),
        "no expiry": signed(exp=None),
        "not good yet": signed(nbf=now + 600),
        "for another": signed(aud="billing"),
        "for others": signed(aud=["billing", "shop"]),
        "for nobody": signed(aud=None),
        "no tenant": signed(tenant_id=None),
        "a tenant as a number": signed(tenant_id=7),
        "no tenant's name": signed(tenant_id="acme.support"),
        "the workers' name": signed(tenant_id="worker"),
        "sessions as a text": signed(sessions="support"),
        "sessions as numbers": signed(sessions=[7]),
        "too many actions": signed(actions=["message.send"] * 257),
        "huge": signed(padding="x" * MAX_TOKEN_BYTES),
        "another body under the same signature": f"{head}.{other_body}.{signature}",
        "cut off": f"{head}.{body}.{signature[:-8]}",
        "no signature": f"{head}.{body}.",
        "letters of another alphabet": good.replace("e", "\u0435"),
    }


@pytest.mark.parametrize("name", wrong())
async def test_what_is_wrong_is_refused(name: str) -> None:
    """All the same way."""
    made = await gateway()

    assert made.grant(wrong()[name]) is NOTHING
    assert made.grant(signed()) == ACME, "and others are good all the same"


@pytest.mark.parametrize("header", [None, 7, b"Bearer x", "Basic YTpi", "Bearer", ["Bearer x"]])
async def test_a_header_that_is_none(header: object) -> None:
    """Whatever the sender puts there."""
    made = await gateway()

    assert made.verifier.verify(Claims(authorization=header)) is NOTHING


async def test_a_token_expires_although_it_was_good_before() -> None:
    """But not yet for a message that has come before: it may have begun. For a day."""
    made = await gateway(jwt_leeway_seconds=0)
    token = signed(exp=time.time() + 600)
    assert made.grant(token) == ACME
    (known,) = made.verifier._known.values()
    made.verifier._known[token] = type(known)(
        grant=known.grant, expires_at=time.time() - 1, keys=known.keys
    )
    expired = signed(exp=time.time() - 1)

    assert made.verifier._is_young(made.verifier._known[token], Claims()) is False
    assert made.grant(expired) is NOTHING
    assert made.grant(expired, is_redelivered=True) == ACME
    assert made.grant(signed(key=OTHER_RSA), is_redelivered=True) is NOTHING
    assert made.grant(signed(exp=time.time() - 90_000), is_redelivered=True) is NOTHING
    old = type(known)(grant=known.grant, expires_at=time.time() - 90_000, keys=known.keys)
    made.verifier._known[token] = old
    assert made.verifier._is_young(old, Claims(is_redelivered=True)) is False


async def test_an_issuer_may_be_asked_for() -> None:
    """Keys may be shared by several."""
    made = await gateway(jwt_issuer="https://idp.example")

    assert made.grant(signed(iss="https://idp.example")) == ACME
    assert made.grant(signed(iss="https://other.example")) is NOTHING
    assert made.grant(signed()) is NOTHING


async def test_hs256_needs_its_secret() -> None:
    """Where it is configured; what others are signed with stays what it was."""
    made = await gateway(jwt_algorithms=ALL, jwt_secret=SECRET)

    assert made.grant(signed("HS256", kid=None)) == ACME
    assert made.grant(signed("HS256", key="b" * 32)) is NOTHING
    assert made.grant(signed("RS256")) == ACME
    assert made.grant(jwt.encode(claims(), SECRET, "HS384")) is NOTHING


async def test_keys_come_and_go() -> None:
    """A new one is asked for when it is missed; one that is taken back is good no more."""
    made = await gateway()
    old, new = signed(), signed(key=OTHER_RSA, kid="next")
    assert (made.grant(old), made.grant(new)) == (ACME, NOTHING)
    assert made.keys._wanted.is_set()
    described = RSAAlgorithm.to_jwk(OTHER_RSA.public_key(), as_dict=True)
    made.issuer.document = {"keys": [{**described, "kid": "next"}]}
    await made.keys.refresh()

    assert (made.grant(old), made.grant(new)) == (NOTHING, ACME)


async def test_an_issuer_that_is_away() -> None:
    """The last keys are good for a while; then all waits, and is refused when it has waited."""
    made = await gateway()
    told: list[bool] = []
    made.verifier.watch(lambda: told.append(made.verifier.is_able))
    made.issuer.document = None

    async def later(seconds: float) -> tuple[bool, bool]:
        made.now += seconds
        await made.keys.refresh()
        assert made.keys.problem == "nobody answers"
        return made.keys.are_usable, made.verifier.is_able

    assert await later(KEEP_SECONDS) == (True, True)
    assert made.grant(signed()) == ACME
    assert made.keys.unread_seconds == KEEP_SECONDS
    assert await later(1) == (False, False)
    assert made.grant(signed()) is NOTHING
    assert await later(HOLD_SECONDS - 1) == (False, False)
    assert await later(1) == (False, True)
    assert made.grant(signed()) is NOTHING
    made.issuer.document = published()
    await made.keys.refresh()
    assert made.grant(signed()) == ACME
    assert (made.keys.are_usable, made.keys.unread_seconds) == (True, 0.0)
    assert told == [True, False, False, True, True]


async def test_an_issuer_that_publishes_no_keys() -> None:
    """Nothing is refused for that at once, and nothing is executed with those of before."""
    documents: list[dict[str, Any]] = [
        {"keys": []},
        {"keys": [{"kty": "oct", "kid": "RS256", "k": "AAAA"}]},
    ]
    for document in documents:
        made = await gateway()
        made.issuer.document = document
        for is_able, seconds in ((False, 0), (False, HOLD_SECONDS - 1), (True, 1)):
            made.now += seconds
            await made.keys.refresh()
            assert made.keys.problem == NO_KEYS
            assert (made.keys.are_usable, made.verifier.is_able) == (False, is_able)
            assert made.grant(signed()) is NOTHING
        made.issuer.document = published()
        await made.keys.refresh()
        assert (made.keys.problem, made.verifier.is_able) == (None, True)
        assert made.grant(signed()) == ACME


async def test_a_gateway_that_has_read_no_keys_yet() -> None:
    """All waits from its start on, no longer than later."""
    made = Gateway()
    assert (made.keys.are_usable, made.verifier.is_able) == (False, False)
    assert made.grant(signed()) is NOTHING
    made.issuer.document = None
    made.now += HOLD_SECONDS
    await made.keys.refresh()
    assert (made.keys.are_usable, made.verifier.is_able) == (False, True)
    assert made.grant(signed()) is NOTHING


async def test_keys_that_a_library_chokes_on_cost_nobody_the_last_ones() -> None:
    """Whatever it raises."""
    made = await gateway()

    async def choke() -> bytes:
        raise RecursionError

    made.keys._read = choke
    await made.keys.refresh()
    assert made.keys.problem == "RecursionError"
    assert made.grant(signed()) == ACME


async def test_published_keys_that_are_passed_over() -> None:
    """Secrets, weak ones, those for encryption, without a name, and what is none."""
    weak = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)
    good = published()["keys"][0]
    listed = [
        good,
        {"kty": "oct", "kid": "RS256", "k": "AAAA"},
        {**RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True), "kid": "weak"},
        {**good, "kid": "enc", "use": "enc"},
        {**good, "kid": None},
        {**good, "kid": 7},
        {**good, "kid": "other", "alg": "RS512"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        "RS256",
        None,
    ]
    found = read_keys(json.dumps({"keys": listed}).encode(), algorithms=frozenset(ALL.split(",")))

    assert set(found) == {("RS256", "RS256")}
    for document in (b"", b"{}", b"[]", b'{"keys": {}}', b"[" * 100_000):
        with pytest.raises(ValueError, match="keys"):
            read_keys(document, algorithms=frozenset({"RS256"}))
