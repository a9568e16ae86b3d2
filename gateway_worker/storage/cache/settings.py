"""What can be set about Redis."""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from gateway_worker.runtime.urls import ENCODED, has_torn_login


class CacheSettings(BaseModel):
    """Settings of the cache. All times are in seconds.

    Attributes:
        url: `redis://:password@host:port/database`, `rediss` for TLS, where redis-py's query
            parameters `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile` name the certificates, or
            `unix:///path`.
        prefix: Stands before every key, as it is: the table of `a` is in `wa:session:a`.
        connect_timeout_seconds: For one new connection.
        operation_timeout_seconds: For one call, with everything it needs (a connection, a retry).
        max_connections: Connections held at most; a call beyond them waits for one.
        worker_ttl_seconds: How long a worker counts as present after its last sign of life.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr
    prefix: str = Field("wa:", max_length=64, pattern=r"^[A-Za-z0-9:._{}/-]*$")
    connect_timeout_seconds: float = Field(1.0, gt=0)
    operation_timeout_seconds: float = Field(2.0, gt=0)
    max_connections: int = Field(8, ge=1, le=256)
    worker_ttl_seconds: float = Field(30.0, ge=1)

    @field_validator("url")
    @classmethod
    def _is_redis(cls, url: SecretStr) -> SecretStr:
        expected = f"not a Redis URL: redis://:password@host:port/database is expected{ENCODED}"
        parts = urlsplit(url.get_secret_value())
        try:
            located = parts.path if parts.scheme == "unix" else parts.hostname
            _ = parts.port
        except ValueError:
            raise ValueError(expected) from None
        is_known = parts.scheme in {"redis", "rediss", "unix"}
        if not is_known or not located or has_torn_login(url.get_secret_value()):
            raise ValueError(expected)
        return url

    @property
    def address(self) -> str:
        """Where it is, without credentials, for messages."""
        parts = urlsplit(self.url.get_secret_value())
        if parts.scheme == "unix":
            return parts.path
        return f"{parts.hostname}:{parts.port or 6379}"
