"""Files that came with messages, as somebody asks for them."""

import asyncio

from gateway_contracts import MediaGet, MediaInfo
from gateway_worker.commands.handlers.effect import Context, Effect, Handler
from gateway_worker.commands.lanes import Lane
from gateway_worker.errors import UnsupportedError, UpstreamTimeoutError


async def get(context: Context, command: MediaGet) -> Effect:
    """Fetch a file unless it is there; a run that was interrupted finds how far that has come."""
    if context.media is None:
        raise UnsupportedError("this gateway fetches no files")
    session = await context.manager.find(command.subject)
    try:
        async with asyncio.timeout(context.seconds_left()):
            media = await context.media.get(session.session_id, command.data.media_id)
    except TimeoutError:
        raise UpstreamTimeoutError("the file has not come in the time that there was") from None
    return Effect(result=MediaInfo(media=media), session=session)


HANDLERS: dict[str, Handler] = {
    # It asks nothing of the session's connection, and a large file must not hold up another.
    "wa.media.get.v1": Handler(run=get, lane=Lane.FREE),
}
