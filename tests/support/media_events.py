"""Messages with files, as hosts tell them and as they are recorded."""

from typing import Any

from gateway_worker.host_protocol.envelope import Event
from gateway_worker.host_protocol.media import MediaReference
from tests.support.arrivals import event

CHAT = "12025550102@s.whatsapp.net"


def picture(
    record: int,
    reference: MediaReference | None,
    *,
    kind: str = "image",
    message_id: str | None = None,
    **content: Any,
) -> Event:
    """Return the arrival of a message with a file, as the host of a session tells it."""
    media: dict[str, Any] = {"state": "off", "mime_type": "image/jpeg"}
    if reference is not None:
        media |= {"size": reference.file_length, "sha256": reference.file_sha256.hex()}
    data = {
        "message_id": message_id or f"M{record}",
        "chat": CHAT,
        "sender": {"jid": CHAT},
        "timestamp": "2026-01-01T00:00:00Z",
        "content": {"kind": kind, "media": media, **content},
    }
    return event("wa.message.received.v1", data, record=record, media=reference)
