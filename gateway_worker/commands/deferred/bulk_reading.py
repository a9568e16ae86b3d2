"""Has the next rows of bulks at hand: those that wait, or of a cancelled one those that have begun.

It is asked first who of them is on WhatsApp, if the bulk wants that.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from gateway_contracts import BulkState
from gateway_worker.commands.deferrals import BulkStore, RowBody
from gateway_worker.commands.deferred.contact_check import absent_rows
from gateway_worker.commands.deferred.open_bulk import OpenBulk
from gateway_worker.commands.number_checks import NumberChecks
from gateway_worker.errors import DependencyError, GatewayError
from gateway_worker.sessions.ownership.registry import SessionRegistry
from gateway_worker.sessions.session.session import Session

log = structlog.get_logger(__name__)

READ: Final = 50
"""So many rows are read at a time: as many as one question about contacts may have."""
LOW: Final = 10
"""With so few left the next ones are read."""
_AGAIN_SECONDS: Final = 1.0
"""After so long the database is asked again."""


class BulkReading:
    """Reads rows of bulks.

    Args:
        registry: The sessions that are here.
        store: Bulks and rows.
        checks: Asks which recipients are on WhatsApp.
        patience_seconds: After so long somebody who has not answered is asked again.
    """

    def __init__(
        self,
        *,
        registry: SessionRegistry,
        store: BulkStore,
        checks: NumberChecks,
        patience_seconds: float,
    ) -> None:
        self._registry = registry
        self._store = store
        self._checks = checks
        self._patience_seconds = patience_seconds

    @staticmethod
    def is_due(one: OpenBulk, *, is_running: bool) -> bool:
        """Whether rows of a bulk are to be read now."""
        if one.is_reading or one.is_read or one.is_busy:
            return False
        if asyncio.get_running_loop().time() < one.unread_until:
            return False
        if one.bulk.state is BulkState.CANCELLING:
            return True
        return is_running and len(one.waiting) <= LOW

    async def read(self, one: OpenBulk) -> Sequence[RowBody]:
        """Read the next rows of a bulk; returns those that cannot be sent, for nobody is there.

        If it is not known now, `one.unread_until` says when to ask again. The caller has noted that
        they are being read.
        """
        try:
            if one.bulk.state is BulkState.CANCELLING:
                await self._read_begun(one)
                return ()
            return await self._read_waiting(one)
        except GatewayError as error:
            is_ours = isinstance(error, DependencyError)
            patience = _AGAIN_SECONDS if is_ours else self._patience_seconds
            seconds = getattr(error, "retry_after_seconds", None) or patience
            one.unread_until = asyncio.get_running_loop().time() + seconds
            log.warning("bulk.not_read", session_id=one.session_id, error_code=error.code)
            return ()
        finally:
            one.is_reading = False

    async def _read_begun(self, one: OpenBulk) -> None:
        """Have at hand what of a cancelled bulk has begun: it comes to its end as it can."""
        readings = one.readings
        begun = await self._store.begun(one.session_id, one.bulk)
        if one.readings != readings or one.is_changing:
            return
        one.forget_waiting()
        one.waiting.extend(row for row in begun if row.row not in one.fed)
        one.is_read = one.has_begun_only = True

    async def _read_waiting(self, one: OpenBulk) -> Sequence[RowBody]:
        readings = one.readings
        rows = await self._store.rows(one.session_id, one.bulk.load, after=one.last, limit=READ)
        absent: Sequence[RowBody] = ()
        if one.bulk.options["check_contacts"] and rows:
            session = self._registry.held_session(one.session_id)
            if session is None or not session.is_connected:
                one.unread_until = asyncio.get_running_loop().time() + _AGAIN_SECONDS
                return ()
            absent = await self._absent(session, one, rows)
        if one.bulk.state is BulkState.CANCELLING or one.readings != readings or one.is_changing:
            return ()  # it is another one by now
        one.fed.update((row.row, row) for row in absent)
        known = one.fed.keys() | {row.row for row in one.waiting}
        one.waiting.extend(row for row in rows if row.row not in known and row.row not in one.aside)
        one.is_read = len(rows) < READ
        if rows:
            one.last = max(one.last, rows[-1].row)
        return absent

    async def _absent(
        self, session: Session, one: OpenBulk, rows: Sequence[RowBody]
    ) -> Sequence[RowBody]:
        """Return the rows to whom WhatsApp does not know.

        A row that has begun is left alone: it has its own end.
        """
        begun = {row.row for row in await self._store.begun(one.session_id, one.bulk)}
        asked = [row for row in rows if row.row not in begun]
        return await absent_rows(session, one, asked, checks=self._checks)
