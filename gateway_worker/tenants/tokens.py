"""Reads and verifies tokens; the only user of PyJWT.

A token is good if it is signed with a key that is published under its `kid`, by an algorithm that
the operator has allowed and that is the key's own, for this gateway (`aud`), and not too old. What
it says then is `tenant_id`, and perhaps `sessions` and `actions` (see `Grant`).
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
import structlog

from gateway_worker.tenants.grants import EVERYTHING, NOTHING, Grant, of_tenant
from gateway_worker.tenants.keys import Keys
from gateway_worker.tenants.settings import TenantSettings
from gateway_worker.tenants.verifying import Claims, Verifier

log = structlog.get_logger(__name__)

MAX_TOKEN_BYTES: Final = 8_192
MOST_NAMES: Final = 256
_REMEMBERED: Final = 256
_BEGUN_SECONDS: Final = 86_400.0
"""So long after its end a token is good for what the broker hands out once more."""
_BEARER: Final = "bearer "
_SHORTEST_RSA: Final = 2_048
_SYMMETRIC: Final = "HS256"

KeyMap = Mapping[tuple[str, str], jwt.PyJWK]
"""Keys by their `kid` and their algorithm."""


def read_keys(document: bytes, *, algorithms: frozenset[str]) -> KeyMap:
    """Read a JWKS; keys that are not for signatures of these algorithms are passed over.

    Raises:
        ValueError: It is none.
    """
    try:
        listed = json.loads(document)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("it is no JSON with a list of keys") from None
    if not isinstance(listed, list):
        raise ValueError("it has no list of keys")  # noqa: TRY004 - of what is read, not of a call
    keys = {}
    for one in listed:
        key = _key_of(one, algorithms)
        if key is not None and key.key_id is not None:
            keys[key.key_id, key.algorithm_name] = key
    return keys


def _key_of(described: Any, algorithms: frozenset[str]) -> jwt.PyJWK | None:
    try:
        if described.get("kty") == "oct":  # a secret that is published is none
            return None
        key = jwt.PyJWK.from_dict(described)
    except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
        return None
    is_for_this = (
        isinstance(key.key_id, str)
        and key.public_key_use in (None, "sig")
        and key.algorithm_name in algorithms - {_SYMMETRIC}
    )
    is_strong = getattr(key.key, "key_size", _SHORTEST_RSA) >= _SHORTEST_RSA
    return key if is_for_this and (is_strong or described.get("kty") != "RSA") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A token that was verified: for what, until when, and with which keys."""

    grant: Grant
    expires_at: float
    keys: object


class TokenVerifier(Verifier):
    """Takes the word of a signed token.

    Args:
        keys: What tokens are signed with.
        settings: What is asked of them.
    """

    def __init__(self, *, keys: Keys[KeyMap], settings: TenantSettings) -> None:
        self._keys = keys
        self._settings = settings
        self._operators = settings.operator_users
        self._algorithms = settings.algorithms
        self._known: OrderedDict[str, _Known] = OrderedDict()

    @property
    def is_able(self) -> bool:
        """Whether there are keys, or they have been missed for so long that nobody waits."""
        return not self._keys.are_awaited

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` when `is_able` may be another."""
        self._keys.watch(changed)

    def verify(self, claims: Claims) -> Grant:
        """Return what the token grants.

        One that has expired lately is good for a message that has come before: it may have begun.
        """
        if claims.user_id is not None and claims.user_id in self._operators:
            return EVERYTHING
        token = _bearer(claims.authorization)
        if token is None:
            return NOTHING
        known = self._known.get(token)
        if known is not None and known.keys is self._keys.current and self._is_young(known, claims):
            return known.grant
        try:
            return self._verified(token, is_redelivered=claims.is_redelivered)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            log.warning("token.refused", reason=type(error).__name__)
        return NOTHING

    def _is_young(self, known: _Known, claims: Claims) -> bool:
        leeway = self._leeway(is_redelivered=claims.is_redelivered)
        return time.time() < known.expires_at + leeway

    def _leeway(self, *, is_redelivered: bool) -> float:
        more = _BEGUN_SECONDS if is_redelivered else 0.0
        return self._settings.jwt_leeway_seconds + more

    def _verified(self, token: str, *, is_redelivered: bool) -> Grant:
        settings, keys = self._settings, self._keys.current
        said = jwt.get_unverified_header(token)
        algorithm = said.get("alg")
        if algorithm not in self._algorithms or "crit" in said:
            raise jwt.InvalidAlgorithmError
        found = jwt.decode(
            token,
            self._key(said.get("kid"), algorithm, keys),
            algorithms=[algorithm],
            audience=settings.jwt_audience,
            issuer=settings.jwt_issuer,
            leeway=settings.jwt_leeway_seconds,
            options={
                "require": ["exp", "aud", "tenant_id"],
                "verify_exp": not is_redelivered,
                "verify_iss": settings.jwt_issuer is not None,
            },
        )
        expires_at = float(int(found["exp"]))
        if time.time() >= expires_at + self._leeway(is_redelivered=is_redelivered):
            raise jwt.ExpiredSignatureError
        grant = _grant_of(found)
        self._known[token] = _Known(grant=grant, expires_at=expires_at, keys=keys)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return grant

    def _key(self, kid: object, algorithm: str, keys: KeyMap) -> jwt.PyJWK | str:
        secret = self._settings.jwt_secret
        if algorithm == _SYMMETRIC and secret is not None:
            return secret.get_secret_value()
        key = keys.get((kid, algorithm)) if isinstance(kid, str) else None
        if key is None:
            self._keys.want()  # it may be a new one
            raise jwt.InvalidKeyError
        return key


def _bearer(authorization: object) -> str | None:
    if not isinstance(authorization, str) or len(authorization) > MAX_TOKEN_BYTES:
        return None
    if authorization[: len(_BEARER)].lower() != _BEARER or not authorization.isascii():
        return None
    return authorization[len(_BEARER) :]


def _grant_of(claims: Mapping[str, Any]) -> Grant:
    """Return what a token that is good says.

    Raises:
        ValueError: That is nothing.
    """
    tenant = of_tenant(claims["tenant_id"]) if isinstance(claims["tenant_id"], str) else NOTHING
    if tenant.is_nothing:
        raise ValueError("tenant_id")
    return Grant(
        tenant=tenant.tenant,
        sessions=_names(claims.get("sessions")),
        actions=_names(claims.get("actions")),
    )


def _names(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MOST_NAMES:
        raise ValueError("no list of names")
    if not all(isinstance(name, str) and name for name in value):
        raise ValueError("no list of names")
    return tuple(value)
