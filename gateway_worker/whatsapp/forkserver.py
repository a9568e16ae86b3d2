"""The hosts' fork server: which program it is, and what it gets of the worker's environment."""

import os
from pathlib import Path
from typing import Final

import structlog

import gateway_worker
from gateway_worker.runtime.confinement import OLDEST_VERSION, landlock_version
from gateway_worker.runtime.forking.client import ForkServer, Program
from gateway_worker.whatsapp.settings import WhatsAppSettings

log = structlog.get_logger(__name__)

PROGRAM: Final = "gateway_worker.whatsapp.host.zygote"
ORPHAN_MARGIN_SECONDS: Final = 3.0
"""What a host without a worker needs beside `orphan_seconds`, to disconnect and to leave."""
_PASSED_ON: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)
"""What the hosts get of the worker's environment: none of its passwords."""


async def start_fork_server(settings: WhatsAppSettings) -> ForkServer:
    """Start the hosts' fork server and return when it has imported everything.

    Raises:
        DependencyError: It does not start.
    """
    server = await ForkServer.start(
        Program(
            name="hosts",
            words=("-m", PROGRAM),
            environment=_environment(settings),
            start_seconds=settings.start_timeout_seconds,
            fork_seconds=settings.launch_timeout_seconds,
            orphan_seconds=settings.orphan_seconds + ORPHAN_MARGIN_SECONDS,
        )
    )
    if landlock_version() < OLDEST_VERSION:
        log.warning("hosts.unconfined", detail="the kernel has no Landlock, or it is off")
    return server


def _environment(settings: WhatsAppSettings) -> dict[str, str]:
    """Return the environment of the fork server.

    The worker's own is read here and nowhere else outside its configuration, because this is about
    handing it on.
    """
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    root = Path(gateway_worker.__file__).parents[1]
    environment |= {
        "PYTHONPATH": str(root),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "GOGC": str(settings.gogc),
        # After 100 MiB have been uploaded 200 stay otherwise, for hours in a session that is quiet.
        "GOMEMLIMIT": f"{settings.gomemlimit_mebibytes}MiB",
        # With one, handing over can wait for decrypting: in a flood without limit a killed host
        # loses some messages that it had confirmed, which it does not with two, nor with 300 a
        # second. The second costs half a MiB for every idle session.
        "GOMAXPROCS": "1",
        "MALLOC_ARENA_MAX": str(settings.malloc_arenas),
        # neonize marks texts to a phone number as written by a bot unless told not to.
        "NEONIZE_BOT_TAG": "off",
    }
    if settings.sandbox_ca_file is not None:
        environment["SSL_CERT_FILE"] = str(settings.sandbox_ca_file)
    return environment
