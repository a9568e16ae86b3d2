"""Room for files that backends want to send."""

from gateway_contracts import MediaUpload, MediaUploadUrl
from gateway_worker.commands.handlers.effect import Context, Effect, Handler
from gateway_worker.commands.lanes import Lane
from gateway_worker.errors import UnsupportedError


async def upload_url(context: Context, command: MediaUploadUrl) -> Effect:
    """Tell where one file can be put."""
    session = await context.manager.find(command.subject)
    if context.files is None:
        raise UnsupportedError("no files can be sent here")
    data = command.data
    offered = await context.files.uploads.offer(
        session.session_id, mime_type=data.mime_type, size=data.size, sha256=data.sha256
    )
    result = MediaUpload(
        media_id=offered.media_id,
        url=offered.url,
        headers=dict(offered.headers),
        expires_at=offered.expires_at,
    )
    return Effect(result=result, session=session)


HANDLERS: dict[str, Handler] = {
    "wa.media.upload_url.v1": Handler(run=upload_url, lane=Lane.LOOKUPS),
}
