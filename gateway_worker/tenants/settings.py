"""What can be set about tenants."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from gateway_contracts.tenants import is_tenant

_ASYMMETRIC: Final = ("RS256", "ES256", "EdDSA")
_SYMMETRIC: Final = "HS256"
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SHORTEST_SECRET: Final = 32
_HEAVIEST: Final = 1_000


class Tenancy(StrEnum):
    """By what it is known who has sent a command."""

    OFF = "off"
    """It is not: whoever may publish commands is trusted with every session."""
    USER_ID = "user_id"
    """By the broker's user, which it checks."""
    JWT = "jwt"
    """By a token with each command."""


class TenantSettings(BaseModel):
    """Settings of tenants. All times are in seconds.

    Attributes:
        mode: By what the sender of a command is known.
        operators: Users of the broker who may command every session, with commas between them.
        jwt_jwks: Where the keys are that tokens are signed with: a URL, or the path of a file.
        jwt_audience: Whom tokens have to be for (`aud`).
        jwt_issuer: Who has to have made them (`iss`); None is anybody who has such a key.
        jwt_algorithms: How they may be signed, with commas between them.
        jwt_secret: The key of HS256, which nobody else may know.
        jwt_leeway_seconds: By how much clocks may differ.
        jwt_refresh_seconds: How often the keys are read again.
        jwt_keep_seconds: How long keys are good that cannot be read again.
        jwt_hold_seconds: How long commands wait for keys while there are none that are good; after
            that they are refused.
        max_sessions: How many sessions one tenant may have; 0: any number.
        commands_per_second: How many commands of one tenant begin at each worker in the long run;
            0: as many as come. What is over waits in its place.
        commands_burst: How many of them may begin at once after a rest.
        commands_in_progress: How many of one tenant run at the same time at each worker; 0: any
            number. What is over waits likewise.
        commands_waiting: How many of one tenant may wait at each worker; 0: any number. What is
            over is refused.
        media_bytes_per_day: How many bytes of files one tenant may send and upload on a day (UTC),
            over all workers; 0: any number.
        received_bytes_per_day: How many bytes of files that came with its messages are fetched on a
            day, likewise.
        weights: How many times as many (`acme=2,smith=0.5`) of tenants that have more or less.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    mode: Tenancy = Tenancy.OFF
    operators: str = "gateway-operator"
    jwt_jwks: str | None = None
    jwt_audience: str | None = None
    jwt_issuer: str | None = None
    jwt_algorithms: str = ",".join(_ASYMMETRIC)
    jwt_secret: SecretStr | None = None
    jwt_leeway_seconds: float = Field(30.0, ge=0, le=300)
    jwt_refresh_seconds: float = Field(300.0, ge=1, le=86_400)
    jwt_keep_seconds: float = Field(3_600.0, ge=1, le=604_800)
    jwt_hold_seconds: float = Field(900.0, ge=0, le=86_400)
    max_sessions: int = Field(0, ge=0)
    commands_per_second: float = Field(0.0, ge=0, le=100_000)
    commands_burst: int = Field(20, ge=1, le=100_000)
    commands_in_progress: int = Field(0, ge=0, le=100_000)
    commands_waiting: int = Field(20_000, ge=0, le=60_000)
    media_bytes_per_day: int = Field(0, ge=0)
    received_bytes_per_day: int = Field(0, ge=0)
    weights: str = ""

    @property
    def operator_users(self) -> frozenset[str]:
        """The operators, one by one."""
        return frozenset(_names(self.operators))

    @property
    def algorithms(self) -> frozenset[str]:
        """The algorithms, one by one."""
        return frozenset(_names(self.jwt_algorithms))

    @property
    def weight_of(self) -> Mapping[str, float]:
        """The weights, tenant by tenant; one that has none has 1."""
        return dict(_weight(part) for part in _names(self.weights))

    @property
    def jwks_url(self) -> str | None:
        """Where the keys are, if that is a URL."""
        is_url = self.jwt_jwks is not None and "://" in self.jwt_jwks
        return self.jwt_jwks if is_url else None

    @field_validator("jwt_algorithms")
    @classmethod
    def _are_algorithms(cls, names: str) -> str:
        known = (*_ASYMMETRIC, _SYMMETRIC)
        if not _names(names) or set(_names(names)) - set(known):
            raise ValueError(f"not some of {', '.join(known)}")
        return names

    @field_validator("weights")
    @classmethod
    def _are_weights(cls, weights: str) -> str:
        for part in _names(weights):
            _weight(part)
        return weights

    @field_validator("jwt_jwks")
    @classmethod
    def _is_safe(cls, place: str | None) -> str | None:
        if place is None or "://" not in place:
            return place
        parts = urlsplit(place)
        is_local = parts.scheme == "http" and parts.hostname in _LOCAL
        if not (is_local or parts.scheme == "https") or not parts.hostname:
            raise ValueError("neither an https URL nor the path of a file: others could forge keys")
        return place

    @field_validator("jwt_secret")
    @classmethod
    def _is_long(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < _SHORTEST_SECRET:
            raise ValueError(f"has to have {_SHORTEST_SECRET} bytes at least")
        return secret

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        quotas = (
            self.max_sessions,
            self.commands_per_second,
            self.commands_in_progress,
            self.media_bytes_per_day,
            self.received_bytes_per_day,
        )
        if self.mode is Tenancy.OFF and any(quotas):
            raise ValueError("mode is off: there are no tenants that could have quotas")
        if self.mode is not Tenancy.JWT:
            return self
        if self.jwt_audience is None:
            raise ValueError("jwt_audience has to be set: tokens for others must not be good here")
        if (_SYMMETRIC in self.algorithms) != (self.jwt_secret is not None):
            raise ValueError("jwt_secret is for HS256 among jwt_algorithms, and needed for it")
        if self.algorithms != {_SYMMETRIC} and self.jwt_jwks is None:
            raise ValueError("jwt_jwks has to say where the keys of tokens are")
        return self


def _weight(text: str) -> tuple[str, float]:
    tenant, _, given = text.partition("=")
    try:
        weight = float(given)
    except ValueError:
        weight = 0.0
    if not is_tenant(tenant) or not 0 < weight <= _HEAVIEST:
        raise ValueError("not tenants with numbers above 0, such as acme=2,smith=0.5")
    return tenant, weight


def _names(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]
