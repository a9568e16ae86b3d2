"""How the library is told where its database is."""

import pytest

from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.device_stores import PostgresDeviceStores, library_url
from gateway_worker.storage.db.settings import DatabaseSettings
from gateway_worker.whatsapp.host.gate import open_gate


def test_a_url_for_the_library_keeps_what_an_operator_said() -> None:
    """Of TLS only what he left open is filled in."""
    url = "postgresql+asyncpg://u:p%40ss@a.example:1,b.example:2/db?target_session_attrs=primary"
    parts = library_url(url, schema="s", encrypted=True).partition("?")
    assert parts[0] == "postgres://u:p%40ss@a.example:1,b.example:2/db"
    assert set(parts[2].split("&")) == {
        "target_session_attrs=primary",
        "sslmode=require",
        "connect_timeout=10",
        "application_name=gateway-host",
        "search_path=s",
    }
    assert "sslmode=disable" in library_url("postgresql://h/d", schema="s", encrypted=False)
    verified = "postgresql://h/d?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    assert library_url(verified, schema="s", encrypted=False).startswith(
        "postgres://h/d?sslmode=verify-full&sslrootcert=/etc/ca.pem&"
    )


def test_schemas_are_names_whatever_the_session_is_called() -> None:
    """Different for each session, and below the longest name that PostgreSQL takes."""
    url = "postgresql://h/d"
    database = Database(settings=DatabaseSettings.model_validate({"url": url}))
    stores = PostgresDeviceStores(database=database, url=url, schema="wa_devices")
    names = [stores.schema(session_id) for session_id in ("shop", "Shop", "a'; DROP", "ä" * 200)]
    assert len(set(names)) == 4
    assert all(name.isidentifier() and name.startswith("wa_devices_") for name in names)
    assert max(len(name.encode()) for name in names) <= 63
    with pytest.raises(ValueError, match="schema"):
        PostgresDeviceStores(database=database, url=url, schema="x; DROP")


def test_a_gate_stands_before_each_server() -> None:
    """Under the servers' own names, which their certificates have."""
    gate = open_gate("postgres://u:p%40ss@a.example:1,[::1]/db?sslmode=verify-full", limit=2)
    head, _, query = gate.url.partition("?")
    ports = sorted(gate.ports - {1, 5432})
    assert len(ports) == 2
    assert {
        f"postgres://u:p%40ss@a.example:{one},[::1]:{other}/db"
        for one, other in (ports, reversed(ports))
    } >= {head}
    assert query == "sslmode=verify-full&hostaddr=127.0.0.1,127.0.0.1"
    assert gate.ports >= {1, 5432}


@pytest.mark.parametrize("url", ["postgres:///db?host=/run/postgresql", "postgres://h/d?port=1"])
def test_servers_that_are_named_otherwise_are_reached_directly(url: str) -> None:
    """A socket in the file system cannot be stood in for."""
    assert open_gate(url, limit=2).url == url
