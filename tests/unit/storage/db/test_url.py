"""URLs of databases, as operators write them."""

import pytest

from gateway_worker.storage.db import DatabaseSettings
from gateway_worker.storage.db.url import DatabaseUrl


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://u:p@db/g", ["db"]),
        ("postgresql://u:p@db:5432/g", ["db"]),
        ("postgresql://one:1,two:2/g", ["one", "two"]),
        ("postgresql://u@host,[::1]/g", ["host", "::1"]),
        ("postgresql://u@[::1]:5432,host/g", ["::1", "host"]),
        ("postgresql:///g?host=/run/postgresql", ["/run/postgresql"]),
        ("postgresql://u:p%40ss@/g?host=one,two", ["one", "two"]),
        ("postgresql:///g", []),
    ],
)
def test_hosts(url: str, hosts: list[str]) -> None:
    """One or several, names, addresses and sockets."""
    assert DatabaseUrl.parse(url).host_names == hosts
    assert DatabaseSettings.model_validate({"url": url}).url.get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "dsn"),
    [
        (
            "postgresql+asyncpg://u:p%40s@db:1/g?sslmode=verify-full&sslrootcert=/ca.pem",
            "postgresql://u:p%40s@db:1/g?sslmode=verify-full&sslrootcert=/ca.pem",
        ),
        ("postgresql://u@host,[::1]:2/g", "postgresql://u@/g?host=host,[::1]:2"),
        ("postgresql://u@one,two/g?options=-c%20jit%3Doff", None),
    ],
)
def test_the_drivers_url(url: str, dsn: str | None) -> None:
    """It refuses an IPv6 address among several hosts, but not as a parameter."""
    if dsn is None:
        assert DatabaseUrl.parse(url).dsn().startswith("postgresql://u@one,two/g?options=-c%20jit")
    else:
        assert DatabaseUrl.parse(url).dsn() == dsn


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://u@one,two:2/g?a=b", ["u@one/g?a=b", "u@two:2/g?a=b"]),
        ("postgresql://u@one,[::1]:2/g", ["u@one/g", "u@[::1]:2/g"]),
        ("postgresql://u@one/g", ["u@one/g"]),
        ("postgresql:///g?host=one,two", ["/g?host=one,two"]),
    ],
)
def test_each_host_is_asked_by_itself(url: str, hosts: list[str]) -> None:
    """In the order in which they stand."""
    settings = DatabaseSettings.model_validate({"url": url})
    assert list(settings.dsns) == [f"postgresql://{host}" for host in hosts]


@pytest.mark.parametrize("url", ["", "db", "postgresql:/db", "postgresql//u@db/g"])
def test_what_is_no_url(url: str) -> None:
    """Is not shown."""
    with pytest.raises(ValueError, match=r"^not a URL$"):
        DatabaseUrl.parse(url)
