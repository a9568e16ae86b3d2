"""Channels: opening one, and what its owner's phone posts there."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.models import Body
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.phones.phone import Phone


class NewChannel(Body):
    """Whose phones get what is posted (digits of their numbers), and what the channel is called."""

    followers: tuple[str, ...] = ()
    name: str = ""
    description: str = ""


class Opened(Body):
    """The address of a channel."""

    channel: str


async def open_channel(phone: Phone, body: NewChannel) -> Opened:
    """Open a channel of this account; returns its address."""
    opened = phone.open_channel(body.followers, name=body.name, description=body.description)
    return Opened(channel=str(opened))


async def post(phone: Phone, channel: str, body: models.NewText) -> models.Sent:
    """Post a text; returns the id of the post."""
    return models.Sent(message_id=await phone.post(channel, body.text))


async def edit_post(
    phone: Phone, channel: str, message_id: str, body: models.NewText
) -> models.Sent:
    """Replace the text of a post; returns its id."""
    return models.Sent(message_id=await phone.edit_post(channel, message_id, body.text))


async def delete_post(phone: Phone, channel: str, message_id: str) -> models.Sent:
    """Delete a post; returns its id."""
    return models.Sent(message_id=await phone.delete_post(channel, message_id))


POSTS: Final = "/phones/{number}/channels/{channel}/posts"
OPERATIONS: Final = (
    Operation(
        name="open_channel",
        route="POST /phones/{number}/channels",
        run=open_channel,
        status=201,
        returns="channel",
    ),
    Operation(name="post", route=f"POST {POSTS}", run=post, status=201, returns="message_id"),
    Operation(
        name="edit_post", route=f"PUT {POSTS}/{{message_id}}", run=edit_post, returns="message_id"
    ),
    Operation(
        name="delete_post",
        route=f"DELETE {POSTS}/{{message_id}}",
        run=delete_post,
        returns="message_id",
    ),
)
