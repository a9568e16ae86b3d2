"""Loopback ports that nobody else takes between choosing and listening."""

import contextlib
import random
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway_worker.devkit.services.errors import ServicesError

LOOPBACK = "127.0.0.1"
LOWEST_PORT = 20000
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
DEFAULT_EPHEMERAL_START = 32768
ATTEMPTS = 500


class PortBook:
    """Gives out free ports and holds a claim on each until closed.

    Ports come from below the range of outgoing connections, which could otherwise take one while a
    slow server is still starting. A claim is an abstract Unix socket: other launchers on this
    machine see it, and it vanishes with this process, however that ends.
    """

    def __init__(self) -> None:
        self._claims: dict[int, socket.socket] = {}

    def take(
        self, names: Iterable[str], *, wished: Mapping[str, int], second: int = 0
    ) -> dict[str, int]:
        """Return a port for each name: the wished one where it is free, else any free one.

        Args:
            names: What the ports are for.
            wished: The ports that are wanted.
            second: How far above each port another one lies that goes with it; 0 for none.
        """
        ports: dict[str, int] = {}
        for name in names:
            wish = wished.get(name)
            is_ours = wish is not None and self._claim_both(wish, second)
            ports[name] = wish if wish is not None and is_ours else self._any(second)
        return ports

    def close(self) -> None:
        """Give all claims back."""
        for claim in self._claims.values():
            claim.close()
        self._claims.clear()

    def _any(self, second: int) -> int:
        highest = _ephemeral_start()
        if LOWEST_PORT + second < highest:
            highest -= second
        for _ in range(ATTEMPTS):
            port = random.randrange(LOWEST_PORT, highest)  # noqa: S311 - spread, not secrecy
            if self._claim_both(port, second):
                return port
        raise ServicesError(f"no free port found on {LOOPBACK} after {ATTEMPTS} attempts")

    def _claim_both(self, port: int, second: int) -> bool:
        if not self._claim(port):
            return False
        if not second or self._claim(port + second):
            return True
        self._claims.pop(port).close()
        return False

    def _claim(self, port: int) -> bool:
        if port in self._claims or not _is_free(port):
            return False
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0gateway-worker-port-{port}")
        except OSError:
            claim.close()
            return False
        self._claims[port] = claim
        return True


def _is_free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as candidate:
        # A server that has just ended leaves connections in TIME_WAIT; the servers set this option
        # too
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _ephemeral_start() -> int:
    try:
        start = int(EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError):
        return DEFAULT_EPHEMERAL_START
    return start if start > LOWEST_PORT else DEFAULT_EPHEMERAL_START
