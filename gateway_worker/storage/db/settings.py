"""What can be set about the database."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from gateway_worker.runtime.urls import ENCODED, has_torn_login
from gateway_worker.storage.db.url import DatabaseUrl

_SCHEMES = {"postgresql", "postgres", "postgresql+asyncpg"}


class DatabaseSettings(BaseModel):
    """Settings of the database. All times are in seconds.

    Attributes:
        url: `postgresql://user:password@host:port/database`; libpq's parameters (`sslmode`,
            `sslrootcert`, `target_session_attrs`, …) and several hosts are understood.
        pool_size: Connections kept open. The recorder, the inbox and the relay use one each at a
            time; the rest is for look-ups.
        pool_overflow: Further connections under load, closed when they are given back.
        pool_timeout_seconds: How long a call may wait for a connection.
        connect_timeout_seconds: For one new connection, to each host.
        statement_timeout_seconds: The server ends a statement that takes longer.
        lock_timeout_seconds: The server ends a statement that waits longer for a row.
        answer_timeout_seconds: The client gives a connection up whose server is silent for so long;
            above `statement_timeout_seconds`, so that a live server speaks first.
        startup_timeout_seconds: How long it may be unavailable when a worker starts.
        recycle_seconds: Connections older than this are replaced when they are next taken.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr
    pool_size: int = Field(6, ge=2, le=100)
    pool_overflow: int = Field(4, ge=0, le=100)
    pool_timeout_seconds: float = Field(10.0, gt=0)
    connect_timeout_seconds: float = Field(5.0, gt=0)
    statement_timeout_seconds: float = Field(10.0, gt=0)
    lock_timeout_seconds: float = Field(5.0, gt=0)
    answer_timeout_seconds: float = Field(15.0, gt=0)
    startup_timeout_seconds: float = Field(30.0, ge=0)
    recycle_seconds: int = Field(1800, ge=60)

    @field_validator("url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr) -> SecretStr:
        expected = (
            "not a PostgreSQL URL: postgresql://user:password@host:port/database is expected"
            f"{ENCODED}"
        )
        try:
            parts = DatabaseUrl.parse(url.get_secret_value())
        except ValueError:
            raise ValueError(expected) from None
        is_complete = parts.scheme in _SCHEMES and parts.path.strip("/")
        if not is_complete or has_torn_login(url.get_secret_value()):
            raise ValueError(expected)
        return url

    @model_validator(mode="after")
    def _server_speaks_first(self) -> Self:
        if self.answer_timeout_seconds <= self.statement_timeout_seconds:
            raise ValueError("answer_timeout_seconds must be above statement_timeout_seconds")
        return self

    @property
    def dsns(self) -> tuple[str, ...]:
        """The URL as the driver reads it (without SQLAlchemy's driver name), one for each host.

        They have the password.
        """
        url = DatabaseUrl.parse(self.url.get_secret_value())
        return tuple(each.dsn() for each in url.by_host())

    @property
    def address(self) -> str:
        """Hosts, ports and database without credentials, for messages."""
        parts = DatabaseUrl.parse(self.url.get_secret_value())
        return f"{parts.hosts}{parts.path}"
