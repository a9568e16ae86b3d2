"""What can be set about the database, and what is refused."""

import pytest
from pydantic import SecretStr, ValidationError

from gateway_worker.storage.db import DatabaseSettings

PASSWORD = "s3cret-word"
URL = f"postgresql://gateway:{PASSWORD}@db.example:5432/gateway"


def test_the_address_has_no_credentials() -> None:
    """It is shown in messages; so is the representation."""
    settings = DatabaseSettings(url=SecretStr(URL))
    assert settings.address == "db.example:5432/gateway"
    assert settings.dsns == (URL,)
    assert PASSWORD not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:p@h/d",
        "postgresql+asyncpg://u:p@h/d",
        "postgresql://u:p@one:5432,two:5433/d?target_session_attrs=read-write",
    ],
)
def test_common_ways_to_write_it(url: str) -> None:
    """The driver gets the one that it reads."""
    assert DatabaseSettings(url=SecretStr(url)).dsns[0].split("://")[0] in (
        "postgresql",
        "postgres",
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "db.example",
        "mysql://u:p@h/d",
        "postgresql://u:p@h",
        f"postgresql://u:{PASSWORD}@h/",
        f"postgresql://u:12/{PASSWORD}@h/d",
    ],
)
def test_what_is_no_postgresql_url(url: str) -> None:
    """It is refused without being shown."""
    with pytest.raises(ValidationError, match="not a PostgreSQL URL") as caught:
        DatabaseSettings(url=SecretStr(url))
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"pool_size": 1},
        {"pool_overflow": -1},
        {"pool_timeout_seconds": 0},
        {"connect_timeout_seconds": 0},
        {"statement_timeout_seconds": 0},
        {"answer_timeout_seconds": 10.0, "statement_timeout_seconds": 10.0},
        {"no_such_setting": 1},
    ],
    ids=str,
)
def test_values_that_cannot_work(values: dict[str, float]) -> None:
    """A server has to speak before the client gives it up, among others."""
    with pytest.raises(ValidationError):
        DatabaseSettings(url=SecretStr(URL), **values)
