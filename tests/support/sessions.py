"""Sessions in memory, as far as they are looked up; the port's tests run against them too."""

from dataclasses import replace

from gateway_contracts import Account
from gateway_worker.sessions.ports import SessionRow
from tests.support.ports import UnaskedSessions


class MemorySessions(UnaskedSessions):
    """The rows of sessions, by name. Whoever asks for more than these has failed the test.

    Args:
        rows: The sessions that there are.
    """

    def __init__(self, *rows: SessionRow) -> None:
        super().__init__()
        self._rows = {row.session_id: row for row in rows}
        self._deleted: dict[str, int] = {}

    async def create(self, row: SessionRow) -> SessionRow | None:
        """Insert a session, with epochs that go on where its namesake had ended."""
        if row.session_id in self._rows:
            return None
        epoch = self._deleted.get(row.session_id, 0) + 1
        self._rows[row.session_id] = replace(row, epoch=epoch, first_epoch=epoch)
        return self._rows[row.session_id]

    async def get(self, session_id: str) -> SessionRow | None:
        """Look it up."""
        return self._rows.get(session_id)

    async def was_deleted(self, session_id: str) -> bool:
        """Look whether it has left its name."""
        return session_id in self._deleted

    async def owned_by(self, worker_id: str) -> list[SessionRow]:
        """Return a worker's, in the order of their creation."""
        return [row for row in self._rows.values() if row.worker_id == worker_id]

    def delete(self, session_id: str) -> None:
        """Remove a session; its name and its epoch stay."""
        row = self._rows.pop(session_id, None)
        self._deleted[session_id] = 1 if row is None else row.epoch

    def link(self, session_id: str) -> None:
        """Give a session an account."""
        account = Account(jid="12025550101@s.whatsapp.net")
        self._rows[session_id] = replace(self._rows[session_id], account=account)
