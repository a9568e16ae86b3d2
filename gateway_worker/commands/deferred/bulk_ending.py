"""The end of a bulk: what is left of it is swept, its result is written, and it is told."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from gateway_contracts import BulkState
from gateway_worker.commands.deferrals import BulkStore
from gateway_worker.commands.deferred.bulk_reports import BulkReports
from gateway_worker.commands.deferred.bulk_results import BulkResults
from gateway_worker.commands.deferred.open_bulk import OpenBulk
from gateway_worker.errors import DependencyError
from gateway_worker.runtime.retry import Backoff
from gateway_worker.sessions.changes import Change
from gateway_worker.sessions.deferred import BulkUpdate
from gateway_worker.sessions.ownership.registry import SessionRegistry
from gateway_worker.sessions.session.session import Session

log = structlog.get_logger(__name__)

_SWEPT: Final = 2_000
"""So many rows are let go of at a time."""


class BulkEnding:
    """Brings bulks to their ends.

    Args:
        registry: The sessions that are here.
        store: Bulks and rows.
        results: Writes how the rows have ended.
        reports: Tells of bulks.
    """

    def __init__(
        self,
        *,
        registry: SessionRegistry,
        store: BulkStore,
        results: BulkResults,
        reports: BulkReports,
    ) -> None:
        self._registry = registry
        self._store = store
        self._results = results
        self._reports = reports

    async def end(self, one: OpenBulk, *, on_over: Callable[[OpenBulk], None]) -> None:
        """Bring a bulk to its end, for as long as its session is here.

        Whatever fails is tried again: nobody else would ever tell its end.

        Args:
            one: All of its rows have ended, or it is cancelled and none of them is under way.
            on_over: Called if it is over; otherwise rows of it have turned up again.
        """
        backoff = Backoff(initial_seconds=0.5, maximum_seconds=30.0)
        while (session := self._registry.held_session(one.session_id)) is not None:
            if session.epoch != one.epoch:
                return
            try:
                is_over = await self._finish(session, one)
            except DependencyError as error:
                log.warning("bulk.not_ended", bulk_id=one.bulk.bulk_id, reason=str(error))
            except Exception:
                log.exception("bulk.not_ended", bulk_id=one.bulk.bulk_id)
            else:
                if is_over:
                    on_over(one)
                return
            await asyncio.sleep(backoff.next_seconds())

    async def _finish(self, session: Session, one: OpenBulk) -> bool:
        """Write the result and commit the end; False if it is not over after all."""
        is_cancelled = one.bulk.state is BulkState.CANCELLING
        while is_cancelled and await self._store.sweep(
            one.session_id, one.bulk, epoch=one.epoch, limit=_SWEPT
        ):
            pass
        bulk = await self._store.get(one.session_id, one.bulk.bulk_id)
        if bulk is None or bulk.state is not one.bulk.state:
            return False
        if bulk.ended < bulk.rows and not is_cancelled:  # some have come back meanwhile
            one.read_anew()
            return False
        result, key = await self._results.write(one.session_id, bulk)
        state = BulkState.CANCELLED if is_cancelled else BulkState.FINISHED
        ended = replace(bulk, state=state)
        event = self._reports.finished(one.session_id, ended, result=result)
        update = BulkUpdate(
            bulk_id=bulk.bulk_id, before=frozenset({bulk.state}), state=state, result_key=key
        )
        await session.record(
            Change(session_id=one.session_id, epoch=one.epoch, events=(event,), bulk_update=update)
        )
        log.info("bulk.ended", session_id=one.session_id, bulk_id=bulk.bulk_id, state=state)
        return True
