"""Content of kinds that have no shorthand, as protojson of the library's `Message`."""

from __future__ import annotations

from typing import Any, Final

from gateway_worker.sandbox.wire.jid import Jid

LOCATION: Final[dict[str, Any]] = {
    "locationMessage": {
        "degreesLatitude": 52.52,
        "degreesLongitude": 13.405,
        "name": "Harbour",
        "address": "1 Quay Street",
        "JPEGThumbnail": "/9j/2Q==",
    }
}
CONTACT: Final[dict[str, Any]] = {
    "contactMessage": {
        "displayName": "Grace Hopper",
        "vcard": "BEGIN:VCARD\nVERSION:3.0\nFN:Grace Hopper\nEND:VCARD",
    }
}
REACTION: Final = "\N{THUMBS UP SIGN}"


def about(target_id: str, chat: Jid, *, from_me: bool) -> dict[str, dict[str, Any]]:
    """Return a reaction to a message, its new text and its deletion, by what a phone calls them."""
    key = {"remoteJID": str(chat), "fromMe": from_me, "ID": target_id}
    new_text = {"conversation": "hello"}
    change = {"key": key, "type": "MESSAGE_EDIT", "editedMessage": new_text}
    return {
        "reaction": {"reactionMessage": {"key": key, "text": REACTION}},
        "edit": {"editedMessage": {"message": {"protocolMessage": change}}},
        "revoke": {"protocolMessage": {"key": key, "type": "REVOKE"}},
    }
