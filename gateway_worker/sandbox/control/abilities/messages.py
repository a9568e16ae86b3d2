"""Messages: writing them, changing them, reacting to them."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.control.views import content_view
from gateway_worker.sandbox.phones.phone import Phone


async def send_text(phone: Phone, body: models.NewMessage) -> models.Sent:
    """Write a text; returns the message id."""
    message_id = await phone.send_text(
        body.to, body.text, reply_to=body.reply_to, mentions=body.mentions
    )
    return models.Sent(message_id=message_id)


async def send_content(phone: Phone, body: models.NewContent) -> models.Sent:
    """Write content of any kind, given as protojson; returns the message id."""
    message_id = await phone.send_content(
        body.to, body.content, reply_to=body.reply_to, mentions=body.mentions
    )
    return models.Sent(message_id=message_id)


def show_content(phone: Phone, message_id: str) -> models.ContentView:
    """Show what is in a message that the phone wrote or got, whatever its kind."""
    return content_view(phone.message(message_id))


async def react(phone: Phone, message_id: str, body: models.Emoji) -> models.Sent:
    """React to a message; an empty emoji takes it back. Returns the id of the reaction."""
    return models.Sent(message_id=await phone.react(message_id, body.emoji))


async def send_poll(phone: Phone, body: models.NewPoll) -> models.Sent:
    """Ask a question with answers to choose from; returns the message id."""
    message_id = await phone.send_poll(
        body.to, body.question, body.options, selectable_count=body.selectable_count
    )
    return models.Sent(message_id=message_id)


async def vote(phone: Phone, message_id: str, body: models.Choice) -> models.Sent:
    """Vote in a poll; no options take the vote back. Returns the id of the vote."""
    return models.Sent(message_id=await phone.vote(message_id, body.options))


def show_choice(phone: Phone, message_id: str) -> models.Choice:
    """Show what somebody has chosen in a poll that the phone knows, by the id of the vote."""
    return models.Choice(options=phone.chosen_in(message_id))


async def comment(phone: Phone, message_id: str, body: models.NewText) -> models.Sent:
    """Comment on what a community announces; returns the id of the comment."""
    return models.Sent(message_id=await phone.comment(message_id, body.text))


async def answer_event(phone: Phone, message_id: str, body: models.EventAnswer) -> models.Sent:
    """Say whether the account comes to an appointment; returns the id of the answer."""
    answer = await phone.answer_event(message_id, body.response, extra_guests=body.extra_guests)
    return models.Sent(message_id=answer)


def give_secrets(phone: Phone, body: models.Secrets) -> None:
    """Give each message a secret from now on, with which its edits are encrypted, or none."""
    phone.give_secrets(on=body.given)


async def edit(phone: Phone, message_id: str, body: models.NewText) -> models.Sent:
    """Replace the text of a message of this account; returns the id of the change."""
    return models.Sent(message_id=await phone.edit(message_id, body.text))


async def revoke(phone: Phone, message_id: str) -> models.Sent:
    """Delete a message of this account for everyone; returns the id of the change."""
    return models.Sent(message_id=await phone.revoke(message_id))


MESSAGES: Final = "/phones/{number}/messages"
OPERATIONS: Final = (
    Operation(
        name="send_text", route=f"POST {MESSAGES}", run=send_text, status=201, returns="message_id"
    ),
    Operation(
        name="send_content",
        route="POST /phones/{number}/content",
        run=send_content,
        status=201,
        returns="message_id",
    ),
    Operation(name="content", route="GET /phones/{number}/content/{message_id}", run=show_content),
    Operation(
        name="react",
        route=f"POST {MESSAGES}/{{message_id}}/reactions",
        run=react,
        status=201,
        returns="message_id",
    ),
    Operation(
        name="send_poll",
        route="POST /phones/{number}/polls",
        run=send_poll,
        status=201,
        returns="message_id",
    ),
    Operation(
        name="vote",
        route=f"POST {MESSAGES}/{{message_id}}/votes",
        run=vote,
        status=201,
        returns="message_id",
    ),
    Operation(name="choice", route=f"GET {MESSAGES}/{{message_id}}/choice", run=show_choice),
    Operation(
        name="comment",
        route=f"POST {MESSAGES}/{{message_id}}/comments",
        run=comment,
        status=201,
        returns="message_id",
    ),
    Operation(
        name="answer_event",
        route=f"POST {MESSAGES}/{{message_id}}/answers",
        run=answer_event,
        status=201,
        returns="message_id",
    ),
    Operation(name="give_secrets", route="PUT /phones/{number}/secrets", run=give_secrets),
    Operation(name="edit", route=f"PUT {MESSAGES}/{{message_id}}", run=edit, returns="message_id"),
    Operation(
        name="revoke", route=f"DELETE {MESSAGES}/{{message_id}}", run=revoke, returns="message_id"
    ),
)
