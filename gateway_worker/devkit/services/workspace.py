"""The directory that a set of private services lives in: data, logs, ports and credentials."""

import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway_worker.devkit.services.loopback import PortBook

# The same in containers and in private processes
USER = "gateway"
DATABASE = "gateway"
BUCKET = "gateway-media"
REGION = "us-east-1"

PRIVATE_FILE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A directory, and how much its content is worth.

    Attributes:
        root: Everything is below it, except what another user must reach (see `reachable`).
        is_durable: Data outlives the run, so it is synced to disk; else speed wins.
        ports: Claims on the ports in use; closed by the owner.
    """

    root: Path
    is_durable: bool
    ports: PortBook = field(default_factory=PortBook)

    def directory(self, name: str) -> Path:
        """Return a directory below the root; it exists."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def log_path(self, name: str) -> Path:
        """Return where a process's output goes."""
        return self.directory("log") / f"{name}.log"

    def take_ports(self, service: str, names: Iterable[str], *, second: int = 0) -> dict[str, int]:
        """Return the service's ports, the same as last time wherever they are still free.

        `second` is how far above each of them another one lies that goes with it; 0 for none.
        """
        remembered = self._remembered(f"{service}.ports.json")
        ports = self.ports.take(names, wished=remembered, second=second)
        self._remember(f"{service}.ports.json", ports)
        return ports

    def secret(self, name: str) -> str:
        """Return a random hexadecimal secret, made once and then kept (readable by us only)."""
        known = self._remembered("secrets.json")
        if name not in known:
            known[name] = secrets.token_hex(16)
            self._remember("secrets.json", known)
        return str(known[name])

    def reachable(self, name: str, *, uid: int) -> Path:
        """Return a directory that the user `uid` owns and can get to.

        Below the root where the way there is open to others, else (a checkout in root's home, say)
        a directory in the system's temporary storage that survives a reboot, remembered in the
        root.
        """
        path = self.root / name
        if not _others_may_pass(self.root):
            path = self._outside(name)
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, uid, -1)
        return path

    def discard(self) -> None:
        """Delete everything."""
        for place in self._remembered("outside.json").values():
            shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)

    def _outside(self, name: str) -> Path:
        places = self._remembered("outside.json")
        if name not in places or not Path(places[name]).is_dir():
            base = "/var/tmp" if self.is_durable else "/tmp"  # noqa: S108 - mkdtemp makes it ours
            places[name] = tempfile.mkdtemp(prefix=f"gateway-worker-{name}-", dir=base)
            self._remember("outside.json", places)
        return Path(places[name])

    def _remembered(self, file_name: str) -> dict[str, Any]:
        try:
            value: dict[str, Any] = json.loads((self.root / file_name).read_text())
        except (OSError, ValueError):
            return {}
        return value

    def _remember(self, file_name: str, value: dict[str, Any]) -> None:
        write_private(self.root / file_name, json.dumps(value, indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a whole file at once that only we can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.touch(mode=PRIVATE_FILE)
    draft.write_text(text)
    draft.replace(path)


def _others_may_pass(path: Path) -> bool:
    ways = [path, *path.resolve().parents]
    return all(way.stat().st_mode & stat.S_IXOTH for way in ways)
