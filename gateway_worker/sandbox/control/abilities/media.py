"""Files: sending them, and those that came."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.phones.phone import Phone


async def send_media(phone: Phone, body: models.NewMedia) -> models.Sent:
    """Encrypt a file, upload it and write about it; returns the message id."""
    message_id = await phone.send_media(
        body.to, body.draft(), reply_to=body.reply_to, mentions=body.mentions
    )
    return models.Sent(message_id=message_id)


async def media_bytes(phone: Phone, message_id: str) -> models.MediaBytes:
    """Return the decrypted and checked file of a message that the phone wrote or got."""
    attachment = await phone.media(message_id)
    data = await phone.media_bytes(message_id)
    return models.MediaBytes(message_id=message_id, mime_type=attachment.mime_type, data=data)


OPERATIONS: Final = (
    Operation(
        name="send_media",
        route="POST /phones/{number}/media",
        run=send_media,
        status=201,
        returns="message_id",
        whole="media",
    ),
    Operation(
        name="media_bytes",
        route="GET /phones/{number}/media/{message_id}",
        run=media_bytes,
        returns="data",
    ),
)
