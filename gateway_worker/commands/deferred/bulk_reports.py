"""What is told of bulks: how far they are, why they pause, and that they are over."""

from dataclasses import replace
from typing import Any

import structlog

from gateway_contracts import (
    BulkFinished,
    BulkFinishedData,
    BulkProgress,
    BulkProgressData,
    BulkReason,
    BulkResultFile,
    BulkState,
)
from gateway_worker.commands.deferred.open_bulk import OpenBulk
from gateway_worker.sessions.changes import Change, source_of
from gateway_worker.sessions.deferred import Bulk, BulkUpdate, RowState
from gateway_worker.sessions.ownership.registry import SessionRegistry

log = structlog.get_logger(__name__)


class BulkReports:
    """Tells of bulks, through their sessions.

    Args:
        worker_id: This worker, the source of the events.
        registry: The sessions that are here; of another one nothing is told.
    """

    def __init__(self, *, worker_id: str, registry: SessionRegistry) -> None:
        self._source = source_of(worker_id)
        self._registry = registry

    async def tell(self, one: OpenBulk) -> None:
        """Tell how far a bulk is."""
        await self._record(one, None)

    async def pause(self, one: OpenBulk, reason: BulkReason) -> None:
        """Pause a bulk in the database, and say why."""
        one.bulk = replace(one.bulk, state=BulkState.PAUSED, reason=reason)
        update = BulkUpdate(
            bulk_id=one.bulk.bulk_id,
            before=frozenset({BulkState.RUNNING}),
            state=BulkState.PAUSED,
            reason=reason,
        )
        await self._record(one, update)

    async def _record(self, one: OpenBulk, update: BulkUpdate | None) -> None:
        session = self._registry.held_session(one.session_id)
        if session is not None:
            await session.record(
                Change(
                    session_id=one.session_id,
                    epoch=one.epoch,
                    events=(self._progress(one),),
                    bulk_update=update,
                )
            )

    def _progress(self, one: OpenBulk) -> BulkProgress:
        bulk = one.bulk
        return BulkProgress(
            **self._common(one.session_id, bulk),
            data=BulkProgressData(
                bulk_id=bulk.bulk_id,
                state=bulk.state,
                reason=bulk.reason,
                rows=bulk.rows,
                succeeded=one.counts[RowState.SUCCEEDED],
                failed=one.counts[RowState.FAILED],
                uncertain=one.counts[RowState.UNCERTAIN],
                cancelled=bulk.cancelled,
            ),
        )

    def finished(
        self, session_id: str, bulk: Bulk, *, result: BulkResultFile | None
    ) -> BulkFinished:
        """Return what is told of the end of a bulk."""
        return BulkFinished(
            **self._common(session_id, bulk),
            data=BulkFinishedData(
                bulk_id=bulk.bulk_id,
                state=bulk.state,
                rows=bulk.rows,
                succeeded=bulk.succeeded,
                failed=bulk.failed,
                uncertain=bulk.uncertain,
                cancelled=bulk.cancelled,
                result=result,
            ),
        )

    def _common(self, session_id: str, bulk: Bulk) -> dict[str, Any]:
        return {
            "source": self._source,
            "subject": session_id,
            "correlationid": bulk.bulk_id,
            "tenantid": bulk.options["tenantid"],
            "traceparent": bulk.options["traceparent"],
        }
