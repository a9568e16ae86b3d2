"""A backend knows whom it writes to, and shows of its account what it wants to be seen."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from PIL import Image

from gateway_contracts import (
    CommandEnvelope,
    CommandSucceeded,
    ErrorCode,
    MessageReceived,
    PresenceChanged,
    SessionState,
)
from gateway_contracts.spec.catalog import COMMANDS
from gateway_worker.sandbox.phones.values import ReceiptKind
from tests.support.eventually import eventually
from tests.support.samples import picture

if TYPE_CHECKING:
    from gateway_worker.sandbox.phones.phone import Phone
    from tests.e2e.harness import Gateway
    from tests.e2e.shared.conftest import Shop

NOBODY = "12025559999"
NOBODY_S_LID = "199999999999999@lid"
WEEK = 604_800


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A session of which things are asked.

    Attributes:
        gateway: Whose session it is.
        name: Its name.
    """

    gateway: Gateway
    name: str

    def command(self, kind: str, **data: Any) -> CommandEnvelope:
        """Return a command for it."""
        model = COMMANDS[f"wa.{kind}.v1"]
        values = {"source": self.gateway.backend.source, "subject": self.name, "data": data}
        return cast("CommandEnvelope", model.model_validate(values))

    async def ask(self, kind: str, **data: Any) -> dict[str, Any]:
        """Ask, and return the result as JSON."""
        result = await self.gateway.succeed(self.command(kind, **data))
        told: dict[str, Any] = result.model_dump(mode="json", exclude_none=True)
        return told

    async def refused(self, kind: str, **data: Any) -> ErrorCode:
        """Ask for what has to fail, and return the code."""
        return (await self.gateway.fail(self.command(kind, **data))).data.error.code


def ids_of(phone: Phone) -> dict[str, str]:
    """Return how a phone's account is named."""
    return {
        "jid": f"{phone.number}@s.whatsapp.net",
        "lid": str(phone.jid),
        "phone_number": f"+{phone.number}",
    }


async def test_whom_a_backend_writes_to(gateway: Gateway, shop: Shop) -> None:
    """It asks who somebody is and what they show, and blocks whom it does not want to hear."""
    ada = await gateway.sandbox.add_phone(push_name="Ada")
    asking, number = Asking(gateway=gateway, name=shop.name), f"+{ada.number}"
    portrait = picture(form="JPEG")
    ada.profile.about = "At the sea"
    ada.set_picture(portrait)

    looked_up = await asking.ask("contact.lookup", people=[number, NOBODY])
    info = await asking.ask("contact.info", contact=number)
    shown = await asking.ask("contact.picture", contact=ids_of(ada)["lid"], store=True)

    assert looked_up["people"] == [
        {"person": number, "known": True, **ids_of(ada)},
        {"person": NOBODY, "known": False},
    ]
    picture_id = ada.profile.picture_id
    expected = {"about": "At the sea", "picture_id": picture_id, "devices": 1}
    assert info == {"kind": "contact", **ids_of(ada), **expected}
    assert (shown["state"], shown["picture_id"]) == ("available", picture_id)
    async with aiohttp.ClientSession() as client, client.get(shown["media"]["url"]) as answer:
        assert await answer.read() == portrait
    again = await asking.ask("media.get", media_id=shown["media"]["media_id"])
    assert again["media"]["key"] == shown["media"]["key"]

    assert await asking.ask("contact.block", contact=number) == {"kind": "done"}
    blocked = await asking.ask("contact.blocklist")
    assert blocked == {"kind": "blocklist", "contacts": [ids_of(ada)]}
    await asking.ask("contact.unblock", contact=number)
    assert (await asking.ask("contact.blocklist"))["contacts"] == []
    link = f"https://wa.me/qr/{ada.profile.link_code}"
    told = {"kind": "contact_link", "link": link, "jid": ids_of(ada)["jid"], "push_name": "Ada"}
    assert await asking.ask("contact.link", link=link) == told
    for nobody in (NOBODY, NOBODY_S_LID):
        assert await asking.refused("contact.info", contact=nobody) is (
            ErrorCode.RECIPIENT_NOT_ON_WHATSAPP
        )


async def test_what_makes_no_sense_is_refused_with_its_place(gateway: Gateway, shop: Shop) -> None:
    """Nobody is asked; what WhatsApp would say to it no backend has to find out."""
    asking = Asking(gateway=gateway, name=shop.name)
    own, link = ids_of(shop.phone), "https://wa.me/qr/ABCDEFGHIJKLM1"
    community = {"name": "All", "is_community": True, "community": "120363025550100001@g.us"}
    for kind, data, pointer in (
        ("contact.block", {"contact": own["phone_number"]}, "/data/contact"),
        ("contact.block", {"contact": own["lid"]}, "/data/contact"),
        ("contact.erase", {"contact": own["phone_number"]}, "/data/contact"),
        ("contact.link", {"link": link, "revoke": True}, "/data/revoke"),
        ("privacy.set", {"setting": "read_receipts", "value": "contacts"}, "/data/value"),
        ("privacy.set", {"setting": "last_seen", "value": "known"}, "/data/value"),
        ("group.create", community, "/data/community"),
    ):
        failed = await gateway.fail(asking.command(kind, **data))
        assert failed.data.error.code is ErrorCode.INVALID_COMMAND
        assert [fault.pointer for fault in failed.data.error.errors] == [pointer]


async def a_picture_is_made_the_account_s(asking: Asking, shop: Phone) -> None:
    """It comes from the bucket, and is made what WhatsApp wants."""
    portrait = picture(900, 700, form="PNG")
    place = await asking.ask("media.upload_url", mime_type="image/png", size=len(portrait))
    async with (
        aiohttp.ClientSession() as client,
        client.put(place["url"], data=portrait, headers=place["headers"]) as answer,
    ):
        answer.raise_for_status()
    source = {"source": "upload", "media_id": place["media_id"]}
    await asking.ask("profile.set", picture=source)
    with Image.open(io.BytesIO(shop.profile.picture or b"")) as shown_picture:
        assert (shown_picture.format, *shown_picture.size) == ("JPEG", 640, 640)


async def a_timer_is_set_and_obeyed(asking: Asking, ada: Phone) -> None:
    """What is sent afterwards says so."""
    await asking.ask("chat.set_timer", chat=f"+{ada.number}", seconds=WEEK)
    sent = await asking.gateway.send(asking.name, ada.number, "we are")
    message = await ada.inbox.wait_for(lambda one: one.message_id == sent.message_id, timeout=30)
    assert message.content["extendedTextMessage"]["contextInfo"]["expiration"] == WEEK


async def the_account_is_unlinked(asking: Asking, shop: Phone) -> None:
    """Its phone has no companion any more; there is nothing to unlink after that."""
    assert (await asking.ask("session.logout"))["state"] == "logged_out"
    assert shop.companions == ()
    assert await asking.refused("session.logout") is ErrorCode.SESSION_NOT_LINKED


async def without_a_name_nothing_is_shown(asking: Asking) -> None:
    """That is told at once: what the session shows after it must not wait for a name."""
    for command in (
        asking.command("presence.set", state="available"),
        asking.command("profile.set", push_name="Corner Shop"),
    ):
        nameless = await asking.gateway.fail(command)
        assert nameless.data.error.code is ErrorCode.NOT_ATTEMPTED
        assert nameless.data.attempts == 1


async def a_name_is_given(asking: Asking, shop: Phone) -> None:
    """Once the phone has shared its keys, which comes as a message does."""
    await shop.share_keys()

    async def is_given() -> bool:
        command = asking.command("profile.set", push_name="Corner Shop")
        await asking.gateway.backend.publish(command)
        outcome = await asking.gateway.backend.outcome(command.id)
        return isinstance(outcome, CommandSucceeded)

    await eventually(is_given, timeout_seconds=30, reason="the phone's keys have come")


async def somebody_unknown_is_named_by_the_place(asking: Asking, known: str) -> None:
    """Of several whose presence is wanted; numbers stand in no error."""
    failed = await asking.gateway.fail(
        asking.command("presence.subscribe", contacts=[known, NOBODY])
    )
    assert failed.data.error.code is ErrorCode.RECIPIENT_NOT_ON_WHATSAPP
    assert str(failed.data.error.detail).endswith("(contact 2 of 2)")


async def test_what_is_shown_of_an_account(gateway: Gateway, name: str) -> None:
    """That it has read and writes, its profile, and after how long its messages disappear."""
    shop, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    others = {host.pid for host in gateway.worker.hosts()}
    await gateway.link(name, shop)
    (host,) = (host for host in gateway.worker.hosts() if host.pid not in others)
    asking, number = Asking(gateway=gateway, name=name), f"+{ada.number}"
    message_id = await ada.send_text(shop.number, "are you open?")
    received = await gateway.backend.expect(MessageReceived, name)

    (chat,) = (await asking.ask("chat.list"))["chats"]
    assert chat["unread"] == 1
    read = {"chat": received.data.chat, "message_ids": [message_id], "typing_seconds": 25}
    await asking.ask("chat.mark_read", **read)
    await ada.wait_for_receipt(message_id, ReceiptKind.READ)
    (chat,) = (await asking.ask("chat.list"))["chats"]
    assert chat["unread"] == 0
    await asking.ask("chat.typing", chat=number, state="recording", seconds=1)
    shown = [(await ada.presences.next(timeout=30)).state for _ in range(3)]
    assert shown == ["composing", "recording", "paused"]
    group = {"chat": "120363025550100001@g.us", "message_ids": [message_id]}
    assert await asking.refused("chat.mark_read", **group) is ErrorCode.INVALID_COMMAND

    await a_timer_is_set_and_obeyed(asking, ada)

    await asking.ask("profile.set", about="Open from 9 to 5")
    profile = await asking.ask("profile.get")
    assert (profile["jid"], profile["about"]) == (ids_of(shop)["jid"], "Open from 9 to 5")
    await a_picture_is_made_the_account_s(asking, shop)
    settings = (await asking.ask("privacy.get"))["settings"]
    changed = await asking.ask("privacy.set", setting="last_seen", value="nobody")
    assert changed["settings"] == settings | {"last_seen": "nobody"}

    await without_a_name_nothing_is_shown(asking)
    await a_name_is_given(asking, shop)
    await asking.ask("presence.set", state="available")
    ben = await gateway.sandbox.add_phone()
    await asking.ask("presence.subscribe", contacts=[ben.number, number])
    await asking.ask("presence.unsubscribe", contacts=[f"{ben.number}@s.whatsapp.net"])
    await somebody_unknown_is_named_by_the_place(asking, number)
    await ada.show_presence(available=True)
    came = await gateway.backend.expect(PresenceChanged, name)
    assert (came.data.contact.jid, came.data.state) == (received.data.chat, "available")
    seen = len(gateway.backend.arrivals)
    host.kill()
    await gateway.until(name, SessionState.CONNECTED, after=seen)
    subscribers = gateway.sandbox.service.accounts.get(ada.jid).subscribers
    await eventually(lambda: bool(subscribers), timeout_seconds=30, reason="it has subscribed anew")
    assert gateway.sandbox.service.accounts.get(ben.jid).subscribers == set()
    await ada.show_presence(available=False)
    await gateway.backend.expect(
        PresenceChanged, name, lambda event: event.data.state == "unavailable"
    )
    session = await asking.ask("session.get_status")
    presence = {"state": "available", "contacts": [ada.number], "typing": False}
    assert session["presence"] == presence

    await the_account_is_unlinked(asking, shop)
