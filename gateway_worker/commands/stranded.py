"""Commands of sessions that nobody can run: each has its outcome all the same.

What needs no connection is done; the rest fails with a code that says when a retry helps.
"""

from dataclasses import dataclass

from gateway_contracts import (
    BulkCancel,
    BulkPause,
    BulkResume,
    Command,
    Done,
    Purged,
    QueuePurge,
    Result,
    ScheduleCancel,
    SessionCreate,
    SessionDelete,
    SessionEvent,
    SessionGetQr,
    SessionGetStatus,
    SessionMigrate,
    SessionReplay,
    SessionRestart,
    SessionState,
    SessionStop,
    SessionUpdate,
    StatusReason,
)
from gateway_worker.commands.deferrals import Deferrals
from gateway_worker.commands.handlers import HANDLERS, Context
from gateway_worker.commands.pacing.plan import check_zones
from gateway_worker.errors import (
    CapacityError,
    SessionExistsError,
    SessionLinkedError,
    SessionNotConnectedError,
)
from gateway_worker.sessions.changes import SessionValues
from gateway_worker.sessions.ownership.stranded import DETAIL, stranded_change, stranded_info
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.sessions.session.transitions import is_running
from gateway_worker.sessions.settings import with_changes

_OF_OWNER = (
    SessionRestart,
    SessionMigrate,
    SessionReplay,
    ScheduleCancel,
    BulkPause,
    BulkResume,
    BulkCancel,
)
"""What only an owner does: it has hosts, or in memory what waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrandedEffect:
    """What is to be committed for a command of a session that nobody runs."""

    result: Result
    events: tuple[SessionEvent, ...] = ()
    update: SessionValues | None = None
    delete: bool = False
    is_kept: bool = True


class StrandedCommands:
    """Executes them, as far as they can be.

    Args:
        worker_id: This worker.
        context: Removes what is left of a session, and reads what is stored of one.
        deferred: Ends what waits in it.
    """

    def __init__(self, *, worker_id: str, context: Context, deferred: Deferrals) -> None:
        self._source = f"/workers/{worker_id}"
        self._context = context
        self._deferred = deferred

    async def effect_of(self, command: Command, row: SessionRow) -> StrandedEffect:
        """Return what a command does.

        Raises:
            GatewayError: It needs somebody who runs the session.
        """
        match command:
            case SessionGetStatus():
                return StrandedEffect(result=stranded_info(row))
            case SessionStop():
                return self._stopped(row)
            case QueuePurge():
                return await self._purged(row)
            case SessionUpdate():
                check_zones(command.data.pacing)
                proxies = self._context.manager.proxies
                data = await proxies.accepted(row.session_id, command.data)
                changed, values = with_changes(row, data)
                return StrandedEffect(result=stranded_info(changed), update=values)
            case SessionDelete():
                told = await self._deferred.farewells(row.session_id)
                await self._context.manager.stranded.destroy(row)
                return StrandedEffect(result=Done(), events=tuple(told), delete=True)
            case SessionCreate():
                raise SessionExistsError(f"the session {row.session_id} exists already")
            case SessionGetQr() if row.account is not None:
                raise SessionLinkedError("there is nothing to scan")
            case _ if isinstance(command, _OF_OWNER):
                raise CapacityError(f"{DETAIL}: {row.worker_id}")
            case _ if (look := HANDLERS[command.type].look) is not None:
                return StrandedEffect(result=await look(self._context, command), is_kept=False)
            case _:
                raise SessionNotConnectedError(f"{DETAIL}: {row.worker_id}")

    async def _purged(self, row: SessionRow) -> StrandedEffect:
        # What is queued ends one by one, here; what is stored only its owner calls off.
        if await self._deferred.farewells(row.session_id):
            raise CapacityError(f"{DETAIL}: {row.worker_id}")
        return StrandedEffect(result=Purged(commands=0, deferred=0))

    def _stopped(self, row: SessionRow) -> StrandedEffect:
        info = stranded_info(row)
        if not is_running(row.state):
            return StrandedEffect(result=info)
        change = stranded_change(
            row, SessionState.STOPPED, StatusReason.REQUESTED, source=self._source
        )
        return StrandedEffect(
            result=info.model_copy(update={"state": SessionState.STOPPED}),
            events=change.events,
            update=change.session,
        )
