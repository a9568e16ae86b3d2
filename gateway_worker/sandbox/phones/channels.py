"""A phone in a channel of its own account: it posts, and changes what it has posted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.phones.content import Content, read_content, text_content
from gateway_worker.sandbox.phones.errors import NotDeliveredError
from gateway_worker.sandbox.phones.stanzas import new_message_id
from gateway_worker.sandbox.wire.jid import CHANNEL_SERVER
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.service import Service
    from gateway_worker.sandbox.wire.jid import Jid

EDIT: Final = "3"
DELETION: Final = "8"


class ChannelPosts:
    """What a phone writes in channels. Returns and raises as `Phone.post`."""

    def __init__(self, *, service: Service, account: Account) -> None:
        """Write as this account."""
        self._service = service
        self._account = account

    async def post(self, channel: Jid, text: str) -> str:
        """Post a text."""
        return await self._write(channel, new_message_id(), text_content(text).SerializeToString())

    async def edit(self, channel: Jid, post_id: str, text: str) -> str:
        """Replace the text of a post."""
        content = text_content(text).SerializeToString()
        return await self._write(channel, post_id, content, edit=EDIT)

    async def delete(self, channel: Jid, post_id: str) -> str:
        """Delete a post."""
        return await self._write(channel, post_id, b"", edit=DELETION)

    async def _write(self, channel: Jid, post_id: str, content: bytes, *, edit: str = "") -> str:
        attrs: Attrs = {"to": channel, "id": post_id, "type": "text"}
        if edit:
            attrs["edit"] = edit
        stanza = Node("message", attrs, (Node("plaintext", {}, content),))
        ack = await self._service.relay.submit(self._account.lid, stanza)
        if ack is not None and ack.get("error"):
            raise NotDeliveredError(f"the service answered with error {ack.get('error')}")
        return post_id


def content_of(node: Node) -> Content | None:
    """Return what was posted, or changed, in a channel; None if the stanza is from none.

    Raises:
        MalformedMessageError: it is not a protocol buffer.
    """
    plain, sender = node.child("plaintext"), node.jid("from")
    if plain is None or sender is None or sender.server != CHANNEL_SERVER:
        return None
    post_id, edit = node.require("id"), node.get("edit")
    if edit == DELETION:
        return Content(kind="revoke", target_id=post_id)
    posted = read_content(plain.data or b"")
    if edit == EDIT:
        return Content(kind="edit", text=posted.text, target_id=post_id, raw=posted.raw)
    return posted
