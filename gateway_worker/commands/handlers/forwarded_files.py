"""The file of a message that is forwarded: it stays where WhatsApp has it, under the same key."""

from typing import Final

from gateway_contracts import Content, Media
from gateway_worker.commands.handlers.effect import Context
from gateway_worker.errors import InvalidCommandError
from gateway_worker.host_protocol.media import Attachment, Uploaded

_HOST: Final = "https://mmg.whatsapp.net"
_BINARY: Final = "application/octet-stream"
POINTER: Final = "/data/content/message"


async def attachment_of(
    context: Context, session_id: str, content: Content | None
) -> Attachment | None:
    """Return the file of a content that is forwarded; None for one without a file.

    Args:
        context: What handlers work with.
        session_id: Whose message it was.
        content: What is forwarded, if anything is.

    Raises:
        InvalidCommandError: It may be seen once only.
        MediaUnavailableError: Nobody knows any more where it is, or what it takes to read it.
    """
    media: Media | None = getattr(content, "media", None)
    if media is None:
        return None
    if getattr(content, "view_once", False):
        raise InvalidCommandError("what may be seen once cannot be forwarded", pointer=POINTER)
    if context.media is None or media.media_id is None:
        raise InvalidCommandError(
            "the file did not arrive here: send it again from where it is", pointer=POINTER
        )
    found = await context.media.place_of(session_id, media.media_id)
    return Attachment(
        uploaded=Uploaded(
            url=f"{_HOST}{found.direct_path}",
            direct_path=found.direct_path,
            media_key=found.media_key,
            file_enc_sha256=found.file_enc_sha256,
            file_sha256=found.file_sha256,
            file_length=found.file_length,
        ),
        mime_type=media.mime_type or _BINARY,
        seconds=media.seconds,
        width=media.width,
        height=media.height,
        waveform=None if media.waveform is None else bytes(media.waveform),
        thumbnail=found.thumbnail,
        animated=getattr(content, "animated", False),
    )
