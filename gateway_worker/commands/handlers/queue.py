"""What waits for a session."""

from gateway_contracts import Purged, QueuePurge
from gateway_worker.commands.handlers.effect import Context, Effect, Handler
from gateway_worker.commands.lanes import Lane


async def purge(context: Context, command: QueuePurge) -> Effect:
    """Call off what waits for the session and came before this."""
    session = await context.manager.find(command.subject)
    count = deferred = 0
    if context.purging is not None:
        count = context.purging.purge(session.session_id, before=context.arrived)
    if context.deferred is not None:
        deferred = await context.deferred.cancel_all(session)
    return Effect(result=Purged(commands=count, deferred=deferred), session=session)


HANDLERS: dict[str, Handler] = {"wa.queue.purge.v1": Handler(run=purge, lane=Lane.FREE)}
