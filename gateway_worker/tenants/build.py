"""Makes what verifies senders."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gateway_worker.tenants.keys import Keys, read_file, read_url
from gateway_worker.tenants.settings import Tenancy, TenantSettings
from gateway_worker.tenants.verifying import UserVerifier, Verifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """How tenants are told apart.

    Attributes:
        verifier: Verifies senders; None in a fleet without tenants.
        keys: What tokens are signed with, if keys have to be read from somewhere; a service.
    """

    verifier: Verifier | None = None
    keys: Keys[Any] | None = None


def build_tenants(settings: TenantSettings) -> Tenants:
    """Build it; nothing begins to run."""
    match settings.mode:
        case Tenancy.OFF:
            return Tenants()
        case Tenancy.USER_ID:
            return Tenants(verifier=UserVerifier(operators=settings.operator_users))
        case Tenancy.JWT:
            return _by_token(settings)


def _by_token(settings: TenantSettings) -> Tenants:
    # Only a fleet with tokens pays for the library.
    from gateway_worker.tenants.tokens import KeyMap, TokenVerifier, read_keys  # noqa: PLC0415

    url, place = settings.jwks_url, settings.jwt_jwks
    none: KeyMap = {}
    keys: Keys[KeyMap] = Keys(
        read=partial(read_url, url) if url else partial(read_file, Path(place or "")),
        parse=partial(read_keys, algorithms=settings.algorithms),
        none=none,
        refresh_seconds=settings.jwt_refresh_seconds,
        keep_seconds=settings.jwt_keep_seconds,
    )
    verifier = TokenVerifier(keys=keys, settings=settings)
    return Tenants(verifier=verifier, keys=None if place is None else keys)
