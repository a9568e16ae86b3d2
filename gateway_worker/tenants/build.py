"""Makes what verifies senders."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gateway_worker.tenants.keys import Keys, read_file, read_url
from gateway_worker.tenants.quotas import TenantRates, TenantShares, TenantSlots
from gateway_worker.tenants.settings import Tenancy, TenantSettings
from gateway_worker.tenants.verifying import UserVerifier, Verifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """How tenants are told apart.

    Attributes:
        verifier: Verifies senders; None in a fleet without tenants.
        keys: What tokens are signed with, if keys have to be read from somewhere; a service.
        most_waiting: How many commands of one tenant may wait at a worker; 0: any number.
    """

    verifier: Verifier | None = None
    keys: Keys[Any] | None = None
    most_waiting: int = 0


def build_tenants(settings: TenantSettings) -> Tenants:
    """Build it; nothing begins to run."""
    match settings.mode:
        case Tenancy.OFF:
            return Tenants()
        case Tenancy.USER_ID:
            return Tenants(
                verifier=UserVerifier(operators=settings.operator_users),
                most_waiting=settings.commands_waiting,
            )
        case Tenancy.JWT:
            return _by_token(settings)


def make_shares(settings: TenantSettings) -> TenantShares | None:
    """Return how much of a worker each tenant has; None if nothing bounds it."""
    if not settings.commands_per_second and not settings.commands_in_progress:
        return None
    weights = settings.weight_of
    rates = TenantRates(
        per_second=settings.commands_per_second, burst=settings.commands_burst, weights=weights
    )
    slots = TenantSlots(at_a_time=settings.commands_in_progress, weights=weights)
    return TenantShares(rates=rates, slots=slots if settings.commands_in_progress else None)


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
        hold_seconds=settings.jwt_hold_seconds if place else 0.0,
    )
    verifier = TokenVerifier(keys=keys, settings=settings)
    return Tenants(
        verifier=verifier,
        keys=None if place is None else keys,
        most_waiting=settings.commands_waiting,
    )
