"""Where a worker keeps what its sessions have on disk."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """The worker's own directory."""

    path: Path

    @property
    def sessions(self) -> Path:
        """Where each session has its directory."""
        return self.path / "sessions"

    def session(self, session_id: str) -> Path:
        """The session's own directory: device store and spool."""
        return self.sessions / session_id

    @property
    def parking(self) -> Path:
        """Where directories wait that no session here uses any more; see `OrphanSpools`."""
        return self.path / "leftovers"
