"""Routes of the phones: add, link, write, confirm, wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from aiohttp import web

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.exchange import (
    done,
    phone_of,
    query,
    read,
    reply,
    sandbox_of,
)
from gateway_worker.sandbox.control.views import (
    content_view,
    linked_view,
    message_view,
    phone_view,
    problem_view,
    receipt_view,
)
from gateway_worker.sandbox.phones.scripts import auto_read, auto_reply

if TYPE_CHECKING:
    from gateway_worker.sandbox.phones.journal import Journal
    from gateway_worker.sandbox.phones.phone import Script
    from gateway_worker.sandbox.phones.values import ChatMessage

EntryT = TypeVar("EntryT")
routes = web.RouteTableDef()


@routes.get("/phones")
async def list_phones(request: web.Request) -> web.Response:
    """All phones, in the order in which they were added."""
    sandbox = sandbox_of(request)
    views = tuple(phone_view(sandbox, phone) for phone in sandbox.phones)
    return reply(models.PhoneList(phones=views))


@routes.post("/phones")
async def add_phone(request: web.Request) -> web.Response:
    """Register an account and switch its phone on."""
    sandbox, body = sandbox_of(request), await read(request, models.NewPhone)
    phone = await sandbox.add_phone(body.number, push_name=body.push_name, lid=body.lid)
    return reply(phone_view(sandbox, phone), status=201)


@routes.get("/phones/{number}")
async def show_phone(request: web.Request) -> web.Response:
    """One phone with its companions."""
    return reply(phone_view(sandbox_of(request), phone_of(request)))


@routes.patch("/phones/{number}")
async def change_phone(request: web.Request) -> web.Response:
    """Rename an account."""
    sandbox, body = sandbox_of(request), await read(request, models.PhoneChange)
    sandbox.rename(request.match_info["number"], body.push_name)
    return reply(phone_view(sandbox, phone_of(request)))


@routes.post("/phones/{number}/scan")
async def scan(request: web.Request) -> web.Response:
    """Link the companion that shows a QR."""
    phone, body = phone_of(request), await read(request, models.Scan)
    return reply(linked_view(await phone.scan(body.qr)), status=201)


@routes.post("/phones/{number}/code")
async def enter_code(request: web.Request) -> web.Response:
    """Link the companion that shows a code."""
    phone, body = phone_of(request), await read(request, models.EnterCode)
    companion = await phone.enter_code(body.code, timeout=body.timeout_seconds)
    return reply(linked_view(companion), status=201)


@routes.delete(r"/phones/{number}/companions/{device:\d+}")
async def unlink(request: web.Request) -> web.Response:
    """Remove a companion."""
    phone_of(request).unlink(int(request.match_info["device"]))
    return done()


@routes.post("/phones/{number}/messages")
async def send(request: web.Request) -> web.Response:
    """Write a text."""
    phone, body = phone_of(request), await read(request, models.NewMessage)
    message_id = await phone.send_text(
        body.to, body.text, reply_to=body.reply_to, mentions=body.mentions
    )
    return reply(models.Sent(message_id=message_id), status=201)


@routes.post("/phones/{number}/content")
async def send_content(request: web.Request) -> web.Response:
    """Write content of any kind."""
    phone, body = phone_of(request), await read(request, models.NewContent)
    message_id = await phone.send_content(
        body.to, body.content, reply_to=body.reply_to, mentions=body.mentions
    )
    return reply(models.Sent(message_id=message_id), status=201)


@routes.get("/phones/{number}/content/{message}")
async def show_content(request: web.Request) -> web.Response:
    """Show what is in a message, whatever its kind."""
    message = phone_of(request).message(request.match_info["message"])
    return reply(content_view(message))


@routes.post("/phones/{number}/messages/{message}/reactions")
async def react(request: web.Request) -> web.Response:
    """React to a message."""
    phone, body = phone_of(request), await read(request, models.Emoji)
    message_id = await phone.react(request.match_info["message"], body.emoji)
    return reply(models.Sent(message_id=message_id), status=201)


@routes.put("/phones/{number}/messages/{message}")
async def edit(request: web.Request) -> web.Response:
    """Replace the text of a message of this account."""
    phone, body = phone_of(request), await read(request, models.NewText)
    message_id = await phone.edit(request.match_info["message"], body.text)
    return reply(models.Sent(message_id=message_id))


@routes.delete("/phones/{number}/messages/{message}")
async def revoke(request: web.Request) -> web.Response:
    """Delete a message of this account for everyone."""
    message_id = await phone_of(request).revoke(request.match_info["message"])
    return reply(models.Sent(message_id=message_id))


@routes.post("/phones/{number}/read")
async def confirm_read(request: web.Request) -> web.Response:
    """Send read receipts."""
    phone, body = phone_of(request), await read(request, models.MessageIds)
    await phone.read(*body.message_ids)
    return done()


@routes.post("/phones/{number}/played")
async def confirm_played(request: web.Request) -> web.Response:
    """Send played receipts."""
    phone, body = phone_of(request), await read(request, models.MessageIds)
    await phone.play(*body.message_ids)
    return done()


@routes.put("/phones/{number}/blocked/{contact}")
async def block(request: web.Request) -> web.Response:
    """Block a contact."""
    phone_of(request).block(request.match_info["contact"])
    return done()


@routes.delete("/phones/{number}/blocked/{contact}")
async def unblock(request: web.Request) -> web.Response:
    """Unblock a contact."""
    phone_of(request).unblock(request.match_info["contact"])
    return done()


@routes.put("/phones/{number}/script")
async def set_script(request: web.Request) -> web.Response:
    """Replace what the phone does by itself."""
    phone, body = phone_of(request), await read(request, models.ScriptBody)
    phone.set_scripts(_scripts(body))
    return done()


@routes.get("/phones/{number}/inbox")
async def inbox(request: web.Request) -> web.Response:
    """Messages from others; waits for news when asked to."""
    items, position = await _news(request, phone_of(request).inbox)
    return reply(models.MessagePage(items=tuple(map(message_view, items)), next=position))


@routes.get("/phones/{number}/own-messages")
async def own_messages(request: web.Request) -> web.Response:
    """Messages of this account; waits for news when asked to."""
    items, position = await _news(request, phone_of(request).own_messages)
    return reply(models.MessagePage(items=tuple(map(message_view, items)), next=position))


@routes.get("/phones/{number}/receipts")
async def receipts(request: web.Request) -> web.Response:
    """Receipts for messages of this account; waits for news when asked to."""
    items, position = await _news(request, phone_of(request).receipts)
    return reply(models.ReceiptPage(items=tuple(map(receipt_view, items)), next=position))


@routes.get("/phones/{number}/problems")
async def problems(request: web.Request) -> web.Response:
    """What the phone could not handle; waits for news when asked to."""
    items, position = await _news(request, phone_of(request).problems)
    return reply(models.ProblemPage(items=tuple(map(problem_view, items)), next=position))


async def _news(request: web.Request, journal: Journal[EntryT]) -> tuple[tuple[EntryT, ...], int]:
    poll = query(request, models.Poll)
    entries = await journal.wait_since(poll.since, timeout=poll.timeout_seconds)
    return entries, len(journal)


def _scripts(body: models.ScriptBody) -> list[Script]:
    scripts: list[Script] = []
    if body.auto_read:
        scripts.append(auto_read(after_seconds=body.after_seconds))
    template = body.auto_reply
    if template is not None:

        def answer(message: ChatMessage) -> str:
            return template.replace("{number}", message.sender_number).replace(
                "{text}", message.text
            )

        pause = 0.0 if body.auto_read else body.after_seconds
        scripts.append(auto_reply(answer, quote=body.quote, after_seconds=pause))
    return scripts
