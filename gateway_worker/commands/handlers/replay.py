"""A session's stored events, published once more."""

from gateway_contracts import SessionReplay
from gateway_worker.commands.handlers.effect import Context, Effect, Handler
from gateway_worker.commands.lanes import Lane
from gateway_worker.errors import GatewayError


async def replay(context: Context, command: SessionReplay) -> Effect:
    """Publish the wanted events again; the session's other commands go on meanwhile.

    Run again after an interruption it repeats ids, which is what a backend tells repeats by.
    """
    if context.replays is None:
        raise GatewayError("this worker cannot replay events")
    info = await context.replays.run(
        command.subject, command.data, check=lambda: context.manager.find(command.subject)
    )
    return Effect(result=info, session=await context.manager.find(command.subject))


HANDLERS: dict[str, Handler] = {
    "wa.session.replay.v1": Handler(run=replay, lane=Lane.REPLAYS),
}
