"""What became of sends that earlier runs have begun, here or at a session's former owners."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from gateway_worker.sessions.changes import Change, Committed, source_of
from gateway_worker.sessions.found_sends import FoundSend, FoundSends
from gateway_worker.sessions.inbound.receipts import SendsInProgress
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.sessions.send_journal import SendJournals, SendTrace, Unknown


class EarlierSends:
    """The traces of one session's sends.

    Args:
        row: The session as the database has it.
        worker_id: This worker.
        directory: The session's, with the journal of its hosts.
        journals: Read it.
        record: Queues a change of the session, under its epoch.
        sends: Those that are executing.
    """

    def __init__(
        self,
        *,
        row: SessionRow,
        worker_id: str,
        directory: Path,
        journals: SendJournals,
        record: Callable[[Change], "asyncio.Future[Committed]"],
        sends: SendsInProgress,
    ) -> None:
        self._row = row
        self._worker_id = worker_id
        self._directory = directory
        self._journals = journals
        self._record = record
        self._sends = sends
        self._found = FoundSends()

    async def trace_of(
        self,
        command_id: str,
        *,
        worker_id: str | None,
        epoch: int | None,
        began: datetime | None,
    ) -> SendTrace:
        """Return what the host has noted of a call that an earlier run began.

        Args:
            command_id: The command.
            worker_id: The worker of that run.
            epoch: The epoch of that run.
            began: Not later than that run began.
        """
        if worker_id is None or epoch is None:
            return Unknown(detail="nobody knows whose run it was")
        trace = await self._journals.look_up(
            self._directory, command_id, worker_id=worker_id, epoch=epoch, began=began
        )
        if isinstance(trace, Unknown):
            return self._found.trace_of(command_id) or trace
        return trace

    async def record_found(self, sends: Sequence[FoundSend]) -> bool:
        """Record what became of sends of a former owner; False if another worker has it now."""
        self._found.add(sends)
        session_id, source = self._row.session_id, source_of(self._worker_id)
        changes = [
            Change(
                session_id=session_id,
                epoch=self._row.epoch,
                events=(send.resolved(source=source, session_id=session_id),),
                found=send,
            )
            for send in sends
        ]
        committed = await asyncio.gather(*map(self._record, changes))
        self._sends.settled()
        return not any(one.fenced for one in committed)
