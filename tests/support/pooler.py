"""A real PgBouncer between a test and the database."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from gateway_worker.devkit.services.loopback import LOOPBACK, PortBook
from gateway_worker.devkit.services.postgres import unprivileged_account
from gateway_worker.devkit.services.process import Child, Command, base_environment

_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooler:
    """A PgBouncer that runs.

    Attributes:
        url: The database through it.
        pid: Its process.
    """

    url: str
    pid: int

    def reload(self) -> None:
        """Have it read its files again, for connections from then on."""
        os.kill(self.pid, signal.SIGHUP)


@contextlib.asynccontextmanager
async def pgbouncer(database_url: str, **settings: object) -> AsyncIterator[str]:
    """Run PgBouncer before a database; yields the URL through it.

    Args:
        database_url: The database.
        settings: See `pooler`.
    """
    async with pooler(database_url, **settings) as running:
        yield running.url


@contextlib.asynccontextmanager
async def pooler(database_url: str, **settings: object) -> AsyncIterator[Pooler]:
    """Run PgBouncer before a database.

    Args:
        database_url: The database.
        settings: Of the section `[pgbouncer]`; all else is as PgBouncer has it by itself.
    """
    ports = PortBook()
    account = unprivileged_account()  # like PostgreSQL it refuses to run as root
    home = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    try:
        port = ports.take(["pgbouncer"], wished={})["pgbouncer"]
        file = home / "pgbouncer.ini"
        file.write_text(_configuration(database_url, port, settings))
        if account is not None:
            for path in (home, file):
                os.chown(path, account.uid, account.gid)
        child = Child(
            name="pgbouncer",
            command=Command(
                arguments=[shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", str(file)],
                environment=base_environment(),
                directory=home,
                log_path=home / "log",
                account=account,
            ),
        )
        child.spawn()
        try:
            await child.ready(lambda: _listens(port), timeout_seconds=_SECONDS)
            parts = urlsplit(database_url)
            url = urlunsplit(parts._replace(netloc=f"anybody@{LOOPBACK}:{port}"))
            assert child.pid is not None
            yield Pooler(url=url, pid=child.pid)
        finally:
            await child.stop(with_signal=signal.SIGTERM, timeout_seconds=_SECONDS)
    finally:
        ports.close()
        shutil.rmtree(home)


def _configuration(database_url: str, port: int, settings: dict[str, object]) -> str:
    parts = urlsplit(database_url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    server = f"host={parts.hostname} port={parts.port}"
    return "\n".join(
        [
            "[databases]",
            f"{parts.path.strip('/')} = {server} user={user} password={password}",
            "[pgbouncer]",
            f"listen_addr = {LOOPBACK}",
            f"listen_port = {port}",
            "unix_socket_dir =",
            "auth_type = any",
            *(f"{name} = {value}" for name, value in settings.items()),
            "",
        ]
    )


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
