"""Content of kinds that have no shorthand, as protojson of the library's `Message`."""

from __future__ import annotations

from typing import Any, Final

from gateway_worker.sandbox.wire.jid import Jid
from tests.support.kinds import case

LOCATION: Final = case("location", "with a picture").wire
CONTACT: Final = case("contact", "one").wire
REACTION: Final[str] = case("reaction", "given").contract["emoji"]


def about(target_id: str, chat: Jid, *, from_me: bool) -> dict[str, dict[str, Any]]:
    """Return a reaction to a message, its new text and its deletion, by what a phone calls them."""
    key = {"remoteJID": str(chat), "fromMe": from_me, "ID": target_id}
    cases = (case("reaction", "given"), case("edit", "plain"), case("revoke", "by its writer"))
    return {one.kind: one.wire_about(key) for one in cases}
