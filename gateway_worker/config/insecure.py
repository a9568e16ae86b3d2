"""What others on the network could read or fake, found in the settings as they are written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from itertools import islice
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

from gateway_contracts.amqp_urls import single_urls
from gateway_worker.storage.db.url import DatabaseUrl

_LOCAL_NAMES: Final = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})
_OFF: Final = frozenset({"0", "false", "no", "off", "n", "f", "none", "optional", ""})


class Insecure(StrEnum):
    """What can be allowed, by name."""

    AMQP = "amqp"
    OTLP = "otlp"
    POSTGRESQL = "postgresql"
    REDIS = "redis"
    S3 = "s3"
    SNAPSHOTS = "snapshots"

    @classmethod
    def parse(cls, text: str) -> frozenset[Self]:
        """Read names with commas between them. Raises ValueError for unknown ones."""
        names = _names(text)
        if unknown := sorted(names - set(cls)):
            raise ValueError(
                f"knows no {', '.join(unknown)}; what can be allowed: {', '.join(sorted(cls))}"
            )
        return frozenset(cls(name) for name in names)

    @classmethod
    def known(cls, text: str) -> frozenset[Self]:
        """Read the names that there are, and pass over the others."""
        return frozenset(cls(name) for name in _names(text) & set(cls))


_URLS: Final = {
    "AMQP_URL": Insecure.AMQP,
    "AMQP_OPERATOR_URL": Insecure.AMQP,
    "OTEL_EXPORTER_OTLP_ENDPOINT": Insecure.OTLP,
    "REDIS_URL": Insecure.REDIS,
    "S3_ENDPOINT_URL": Insecure.S3,
    "S3_PUBLIC_ENDPOINT_URL": Insecure.S3,
}
"""The keys of tokens (`JWT_JWKS`) are not among them: those are not taken unencrypted anywhere."""
_DATABASES: Final = ("DATABASE_URL", "MIGRATIONS_DATABASE_URL")
LOOKED_AT: Final = (*_URLS, *_DATABASES, "SNAPSHOT_KEYS")
"""The variables that can hold a risk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """One setting that is not safe.

    Attributes:
        kind: The name that allows it.
        variable: The setting.
        text: What is wrong and what to do instead; shows nothing of the value.
    """

    kind: Insecure
    variable: str
    text: str


def risks(given: Mapping[str, str]) -> Iterator[Risk]:
    """Return everything that is not safe, by variable; what is no URL is passed over."""
    for name, kind in _URLS.items():
        urls = _hosts_of(given.get(name, ""))
        yield from islice((risk for url in urls for risk in _of_url(kind, name, url)), 1)
    for name in _DATABASES:
        yield from _of_database(name, given.get(name, ""))
    if "SNAPSHOT_KEYS" not in given:
        text = (
            "is not set, so that device stores are on one disk only, and accounts have to be linked"
            " again when that is lost: set a key (openssl rand -base64 32)"
        )
        yield Risk(kind=Insecure.SNAPSHOTS, variable="SNAPSHOT_KEYS", text=text)


def is_local(host: str) -> bool:
    """Tell whether a host is this machine, or a socket on it."""
    if host.startswith("/") or host.lower().rstrip(".") in _LOCAL_NAMES:
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def _hosts_of(text: str) -> Sequence[str]:
    try:
        return single_urls(text)
    except ValueError:
        return ()


def _of_url(kind: Insecure, variable: str, text: str) -> Iterator[Risk]:
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return
    if not host or is_local(host):
        return
    scheme = parts.scheme.lower()
    if scheme in {"amqp", "redis", "http"}:
        text = f"{scheme}:// goes unencrypted through the network: use {scheme}s://"
        yield Risk(kind=kind, variable=variable, text=text)
        return
    parameters = parse_qsl(parts.query, keep_blank_values=True)
    if off := [name for name, value in parameters if _is_off(name, value)]:
        text = f"{off[0]} has nobody check whom the worker talks to: take it away"
        yield Risk(kind=kind, variable=variable, text=text)


def _is_off(name: str, value: str) -> bool:
    """Tell whether a parameter of aiormq's or redis-py's ends the check of certificates."""
    match name.lower():
        case "no_verify_ssl":
            return value != "0"
        case "verify" | "verify_ssl" | "ssl_check_hostname" | "ssl_cert_reqs":
            return value.lower().removeprefix("cert_") in _OFF
    return False


def _of_database(variable: str, text: str) -> Iterator[Risk]:
    try:
        url = DatabaseUrl.parse(text)
    except ValueError:
        return
    if all(is_local(host) for host in url.host_names):
        return
    if (mode := url.parameters.get("sslmode")) != "verify-full":
        said = "has no sslmode" if mode is None else f"has sslmode={mode}"
        text = f"{said}, so that nobody checks whom the worker talks to: sslmode=verify-full"
        yield Risk(kind=Insecure.POSTGRESQL, variable=variable, text=text)


def _names(text: str) -> set[str]:
    return {name for part in text.split(",") if (name := part.strip().lower())}
