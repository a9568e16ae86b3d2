"""Many sends at once: made, changed, and looked at."""

from gateway_contracts import (
    BulkCancel,
    BulkCheck,
    BulkCreate,
    BulkInfo,
    BulkPause,
    BulkResume,
    BulkState,
    BulkStatus,
)
from gateway_worker.commands.deferrals import Bulks
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, looked_up
from gateway_worker.commands.lanes import Lane
from gateway_worker.errors import UnsupportedError


async def create(context: Context, command: BulkCreate) -> Effect:
    """Store the rows of a bulk, which begins with the commit of this command's outcome."""
    session = await context.manager.find(command.subject)
    bulks = _bulks(context)
    bulk = await bulks.create(session, command)
    if isinstance(bulk, BulkCheck):
        return Effect(result=bulk, session=session)
    return Effect(result=bulks.told(bulk), session=session, bulk=bulk)


async def pause(context: Context, command: BulkPause) -> Effect:
    """Let no row begin."""
    return await _change(context, command, BulkState.PAUSED)


async def resume(context: Context, command: BulkResume) -> Effect:
    """Go on."""
    return await _change(context, command, BulkState.RUNNING)


async def cancel(context: Context, command: BulkCancel) -> Effect:
    """Let no row begin any more."""
    return await _change(context, command, BulkState.CANCELLING)


async def status(context: Context, command: BulkStatus) -> BulkInfo:
    """Return how far a bulk is."""
    return await _bulks(context).info(command.subject, command.data.bulk_id)


async def _change(
    context: Context, command: BulkPause | BulkResume | BulkCancel, state: BulkState
) -> Effect:
    session = await context.manager.find(command.subject)
    bulks = _bulks(context)
    bulk = await bulks.change(session, command.data.bulk_id, state)
    return Effect(result=bulks.told(bulk), session=session)


def _bulks(context: Context) -> Bulks:
    if context.bulks is None:
        raise UnsupportedError("nothing can be sent in bulk here")
    return context.bulks


HANDLERS: dict[str, Handler] = {
    # A long file must not hold up anything, and nothing is sent by it.
    "wa.bulk.create.v1": Handler(run=create, lane=Lane.FREE),
    "wa.bulk.pause.v1": Handler(run=pause, lane=Lane.LOOKUPS),
    "wa.bulk.resume.v1": Handler(run=resume, lane=Lane.LOOKUPS),
    "wa.bulk.cancel.v1": Handler(run=cancel, lane=Lane.LOOKUPS),
    "wa.bulk.status.v1": looked_up(status, lane=Lane.LOOKUPS),
}
