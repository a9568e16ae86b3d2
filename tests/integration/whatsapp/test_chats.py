"""What a session shows of itself in chats, and sets there."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway_contracts import (
    ContactUpdatedData,
    PresenceChangedData,
    PresenceTypingData,
)
from gateway_contracts.envelope import SessionEventData
from gateway_worker.errors import (
    GatewayError,
    NotAttemptedError,
    RateLimitedError,
    UpstreamRejectedError,
)
from gateway_worker.host_protocol.methods.chats import (
    PAUSED,
    RECORDING,
    TYPING,
    MarkRead,
    SetDefaultTimer,
    SetTimer,
    ShowTyping,
)
from gateway_worker.host_protocol.methods.contacts import AskLink
from gateway_worker.host_protocol.methods.method import Done, Method
from gateway_worker.host_protocol.methods.presence import SetPresence, SubscribePresence
from gateway_worker.host_protocol.methods.profile import SetProfile
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.signals import Up
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.phones.values import ReceiptKind
from gateway_worker.sandbox.service.fault_rules import Drop, Match, Point, Rule, Who
from gateway_worker.sandbox.service.faults import Faults, QueryRefusal
from gateway_worker.sandbox.wire.node import Node
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.arrivals import InboundNotice
from tests.support.calls import send_text
from tests.support.eventually import eventually
from tests.support.samples import picture

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

WEEK = 604_800
PAUSE = (("paused", "paused"),)


async def shown_to(phone: Phone, state: str) -> None:
    """Return when a phone has been shown something next."""
    assert (await phone.presences.next(timeout=30)).state == state


async def test_messages_are_marked_as_read(stage: Stage, shop: Account) -> None:
    """Several at once, and twice; that an answer is being written shows afterwards, and ends."""
    ben = await stage.customer()
    sent = [await ben.send_text(shop.phone.number, text) for text in ("one", "two", "three")]
    await shop.until_told(len(sent))
    read = MarkRead(chat=ben.number, message_ids=tuple(sent), typing_seconds=1)

    assert (await shop.host.request(read)).chat == f"{ben.number}@s.whatsapp.net"

    receipts = [await ben.wait_for_receipt(one, ReceiptKind.READ) for one in sent]
    assert {receipt.sender.user for receipt in receipts} == {shop.phone.jid.user}
    for state in ("composing", "paused"):
        await shown_to(ben, state)
    again = MarkRead(chat=f"{ben.number}@s.whatsapp.net", message_ids=tuple(sent), is_played=True)
    assert (await shop.host.request(again)).chat == f"{ben.number}@s.whatsapp.net"
    await ben.wait_for_receipt(sent[0], ReceiptKind.PLAYED)


async def test_what_the_account_does_is_shown(stage: Stage, shop: Account) -> None:
    """Until it does something else, or for as long as was said."""
    ben = await stage.customer()
    for state, shown in ((TYPING, "composing"), (RECORDING, "recording"), (PAUSED, "paused")):
        await shop.host.request(ShowTyping(chat=ben.number, state=state))
        await shown_to(ben, shown)
    await shop.host.request(ShowTyping(chat=str(ben.jid), state=TYPING, seconds=25))
    await shop.host.request(ShowTyping(chat=ben.number, state=RECORDING, seconds=1))
    for shown in ("composing", "recording", "paused"):
        await shown_to(ben, shown)
    assert len(ben.presences) == 6


async def test_what_is_shown_waits_for_no_question(stage: Stage, shop: Account) -> None:
    """One that WhatsApp does not answer is in its way neither here nor there."""
    ben, number = await stage.customer(), shop.phone.number
    await shop.host.request(send_text(to=ben.number, text="hello"))
    rule = Rule(
        id="mute",
        point=Point.IQ,
        who=Who(number=number),
        match=Match(query="w:qr"),
        effect=Drop(),
    )
    stage.sandbox.faults.add(rule)
    asked = asyncio.create_task(shop.host.request(AskLink()))
    await eventually(lambda: bool((found := stage.sandbox.faults.find("mute")) and found.applied))
    await shop.host.request(ShowTyping(chat=ben.number, state=TYPING))
    await shown_to(ben, "composing")
    assert not asked.done()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    stage.sandbox.faults.remove("mute")


async def test_timers(stage: Stage, shop: Account) -> None:
    """A chat's is told to the other one by a message; that of new chats to WhatsApp."""
    ben = await stage.customer()

    done = await shop.host.request(SetTimer(chat=ben.number, seconds=WEEK))
    await shop.host.request(SetDefaultTimer(seconds=WEEK))

    assert done.chat == f"{ben.number}@s.whatsapp.net"
    assert shop.phone.profile.default_timer == WEEK
    with pytest.raises(UpstreamRejectedError):
        await shop.host.request(SetDefaultTimer(seconds=5))
    assert shop.phone.profile.default_timer == WEEK


async def named(account: Account) -> None:
    """Return when an account has a name, without which it cannot be shown."""
    await account.phone.share_keys()

    async def is_named() -> bool:
        try:
            return await account.host.request(SetProfile(name="Corner Shop")) == Done()
        except NotAttemptedError:
            return False

    await eventually(is_named, timeout_seconds=30, reason="the phone's key has come")


async def test_presence(stage: Stage, shop: Account) -> None:
    """It is shown and told, and again after the connection was lost."""
    ben = await stage.customer()
    await shop.host.request(send_text(to=ben.number, text="hello"))
    await ben.submit(Node("presence", {"type": "subscribe", "to": shop.phone.jid}))
    with pytest.raises(NotAttemptedError):
        await shop.host.request(SetPresence(state="available"))
    await named(shop)

    for state in ("available", "unavailable", "available"):
        assert await shop.host.request(SetPresence(state=state)) == Done()
        await shown_to(ben, state)
    assert await shop.host.request(SubscribePresence(people=(ben.number,))) == Done()
    for _ in range(2):
        for is_there in (True, False):
            await ben.show_presence(available=is_there)
            told = (await shop.next(InboundNotice)).data
            assert isinstance(told, PresenceChangedData)
            assert told.contact.jid == told.chat == f"{ben.number}@s.whatsapp.net"
            assert told.state == ("available" if is_there else "unavailable")
            assert (told.last_seen is None) is is_there
        stage.sandbox.connections.drop(shop.phone.number)
        await shop.next(Up)
        await eventually(
            lambda: bool(stage.sandbox.service.accounts.get(ben.jid).subscribers),
            timeout_seconds=30,
            reason="it has subscribed anew",
        )
    await shown_to(ben, "available")


async def test_what_others_do(stage: Stage) -> None:
    """Who writes in a chat, and what changes about those whom the account talks with."""
    shop, ben = await stage.linked(HostSettings(typing=True)), await stage.customer()
    await shop.host.request(send_text(to=ben.number, text="hello"))
    await ben.next_message()
    contact = {"jid": f"{ben.number}@s.whatsapp.net", "lid": str(ben.jid)}

    async def told() -> SessionEventData:
        return (await shop.next(InboundNotice)).data

    for state, expected in (("composing", "typing"), ("recording", "recording"), *PAUSE):
        await ben.show_typing(shop.phone.number, state)
        typing = await told()
        assert isinstance(typing, PresenceTypingData)
        assert typing.contact.model_dump(include={"jid", "lid"}) == contact
        assert (typing.chat, typing.state, typing.is_group) == (contact["jid"], expected, False)
    for do, change in (
        (lambda: ben.set_picture(picture(form="JPEG")), "picture"),
        (lambda: ben.set_picture(None), "picture_removed"),
        (ben.change_identity, "identity"),
    ):
        do()
        changed = await told()
        assert isinstance(changed, ContactUpdatedData)
        assert changed.contact.model_dump(include={"jid", "lid"}) == contact
        assert (changed.change, changed.partial) == (change, False)


REFUSED: tuple[tuple[str, Callable[[str], Method[Any]]], ...] = (
    ("disappearing_mode", lambda _of: SetDefaultTimer(seconds=0)),
    ("usync", lambda of: ShowTyping(chat=of, state=TYPING)),
    ("usync", lambda of: MarkRead(chat=of, message_ids=("3EB0",))),
    ("usync", lambda of: SetTimer(chat=of, seconds=0)),
    # To a person it is a message, which the library leaves unsent where it gets no keys.
    ("encrypt/key", lambda of: SetTimer(chat=of, seconds=0)),
)


@pytest.mark.parametrize(
    ("query", "call_of"), REFUSED, ids=[f"{at}-{query}" for at, (query, _) in enumerate(REFUSED)]
)
async def test_what_whatsapp_refuses(
    stage: Stage, shop: Account, query: str, call_of: Callable[[str], Method[Any]]
) -> None:
    """Neither a pause that it wants nor a refusal is a success."""
    ben, number = await stage.customer(), shop.phone.number
    refusals: tuple[tuple[int, type[GatewayError]], ...] = (
        (429, RateLimitedError),
        (403, UpstreamRejectedError),
    )
    for status, error in refusals:
        refused = QueryRefusal(query=query, status=status)
        stage.sandbox.faults.set(number, Faults(refused_queries=(refused,)))
        with pytest.raises(error):
            await shop.host.request(call_of(ben.number))
        stage.sandbox.faults.clear(number)
