"""Simulated phones and the real library write to each other."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from gateway_worker.sandbox.phones.outgoing import peer_of
from gateway_worker.sandbox.phones.scripts import auto_read, auto_reply
from gateway_worker.sandbox.phones.values import ReceiptKind
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.service.fault_rules import Error, Match, Point, Rule
from gateway_worker.sandbox.service.reachout import Timelock
from gateway_worker.sandbox.settings import SandboxSettings
from gateway_worker.sandbox.signal.kdf import ChainKey
from gateway_worker.sandbox.wire.node import Attrs, Node
from tests.support.contents import CONTACT, LOCATION, about
from tests.support.eventually import eventually
from tests.support.neonize_client import NeonizeClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway_worker.sandbox.phones.phone import Phone
    from gateway_worker.sandbox.phones.values import ChatMessage

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]

DELIVERED, READ = 1, 4


@dataclass(frozen=True, kw_only=True)
class Linked:
    """An account: its phone, and the real library as its companion."""

    phone: Phone
    client: NeonizeClient

    async def wrote(self, message_id: str) -> ChatMessage:
        """Wait until the phone knows that its account wrote this message."""
        return await self.phone.own_messages.wait_for(
            lambda message: message.message_id == message_id, timeout=10
        )

    async def got(self, message_id: str) -> ChatMessage:
        """Wait until the phone has this message of somebody else."""
        return await self.phone.inbox.wait_for(
            lambda message: message.message_id == message_id, timeout=10
        )

    def received(self, sender: Phone) -> list[dict[str, Any]]:
        """Return what the library has shown of one sender so far."""
        return [
            event
            for event in self.client.events
            if event["event"] == "message" and event["sender"] == str(sender.jid)
        ]


@asynccontextmanager
async def linked(sandbox: Sandbox, store: Path, number: str) -> AsyncIterator[Linked]:
    """Pair a client with a new account."""
    phone = await sandbox.add_phone(number, push_name="Anna")
    async with NeonizeClient.start(env=sandbox.worker_env, store=store) as client:
        await phone.scan((await client.wait_for("qr"))["text"])
        await client.wait_for("connected")
        yield Linked(phone=phone, client=client)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the clients keep their stores."""
    return tmp_path_factory.mktemp("stores")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """Open a sandbox; at its end no phone had a problem and nothing tried to leave the machine."""
    async with Sandbox.open(SandboxSettings()) as sandbox:
        yield sandbox
        assert sandbox.egress_attempts == ()
        for phone in sandbox.phones:
            assert list(phone.handling_errors) == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anna(sandbox: Sandbox, directory: Path) -> AsyncIterator[Linked]:
    """Pair one account for all tests: pairing takes seconds, and a chat partner is cheap."""
    async with linked(sandbox, directory / "anna.db", "4915550001") as account:
        yield account


@pytest_asyncio.fixture(loop_scope="module")
async def ben(sandbox: Sandbox) -> Phone:
    """Switch a new customer's phone on; it has no companion."""
    return await sandbox.add_phone(push_name="Ben")


def disturb(phone: Phone, other: Phone) -> None:
    """Let the next message of a phone to another's companion come in a way nobody can read."""
    (session,) = phone._book._sessions[peer_of(other.companions[0])]
    session.sending_chain = ChainKey(key=bytes(32), index=session.sending_chain.index)


async def test_a_text_of_the_library_reaches_both_phones(anna: Linked, ben: Phone) -> None:
    """The customer's phone gets it, the own phone a copy, the library its receipts."""
    message_id = await anna.client.do("send", to=ben.number, text="hello Ben")

    message = await ben.next_message()
    assert (message.message_id, message.text) == (message_id, "hello Ben")
    assert message.sender == anna.phone.companions[0]
    assert (message.sender_number, message.chat) == (anna.phone.number, anna.phone.jid)
    copy = await anna.wrote(message_id)
    assert (copy.text, copy.from_me, copy.chat) == ("hello Ben", True, ben.jid)
    assert copy.sender == anna.phone.companions[0]
    await anna.client.wait_for("receipt", ids=[message_id], type=DELIVERED, sender=str(ben.jid))
    await ben.read(message)
    await anna.client.wait_for("receipt", ids=[message_id], type=READ, sender=str(ben.jid))


async def test_a_text_of_a_phone_reaches_the_library(anna: Linked, ben: Phone) -> None:
    """Sender, number, name and chat are right, and the phone sees delivered and read."""
    message_id = await ben.send_text(anna.phone.number, "hello Anna")

    event = await anna.client.wait_for("message", id=message_id)
    assert (event["text"], event["from_me"], event["name"]) == ("hello Anna", False, "Ben")
    assert (event["sender"], event["chat"]) == (str(ben.jid), str(ben.jid))
    assert event["sender_alt"] == f"{ben.number}@s.whatsapp.net"
    seen = await ben.receipts.wait_for(lambda receipt: receipt.sender.device > 0, timeout=30)
    assert (seen.message_ids, seen.kind) == ((message_id,), ReceiptKind.DELIVERED)
    await anna.client.do("read", chat=event["chat"], ids=[message_id])
    await ben.wait_for_receipt(message_id, ReceiptKind.READ)
    await anna.got(message_id)


async def test_what_the_own_phone_writes_is_shown_on_the_library(
    sandbox: Sandbox, anna: Linked, ben: Phone
) -> None:
    """The companion files it under the recipient's chat, as written by the account itself."""
    message_id = await anna.phone.send_text(ben.number, "from my phone")

    event = await anna.client.wait_for("message", id=message_id)
    assert (event["text"], event["from_me"]) == ("from my phone", True)
    assert event["chat"] == str(ben.jid)
    assert (await ben.next_message()).text == "from my phone"
    await nothing_waits(sandbox, anna)


async def test_what_is_read_on_the_own_phone_is_told_to_the_library(
    sandbox: Sandbox, anna: Linked, ben: Phone
) -> None:
    """Several at once; the writer hears of it too, and nothing stays queued."""
    ids = [await ben.send_text(anna.phone.number, str(number)) for number in range(3)]
    await anna.client.wait_for("message", id=ids[2])
    await anna.phone.read(*[await anna.got(message_id) for message_id in ids])

    event = await anna.client.wait_for("receipt", ids=ids, type=READ)
    assert (event["sender"], event["chat"]) == (str(anna.phone.jid), str(ben.jid))
    await ben.wait_for_receipt(ids[2], ReceiptKind.READ)
    await nothing_waits(sandbox, anna)


async def test_quotes_and_mentions_survive_both_ways(anna: Linked, ben: Phone) -> None:
    """A reply names the message it answers and the people it mentions."""
    question_id = await anna.client.do("send", to=ben.number, text="who comes?")
    question = await ben.next_message()
    text = f"@{ben.number} does"
    await ben.send_text(question.chat, text, reply_to=question, mentions=[ben.number])

    reply = await anna.client.wait_for("message", quoted=question_id)
    assert (reply["quoted_text"], reply["mentions"]) == ("who comes?", [str(ben.jid)])

    quote = {"id": reply["id"], "participant": str(ben.jid), "text": reply["text"]}
    mentions = [str(anna.phone.jid)]
    await anna.client.do("send", to=ben.number, text="good", quote=quote, mentions=mentions)
    answer = await ben.next_message()
    assert (answer.quoted_id, answer.mentions) == (reply["id"], (anna.phone.jid,))


async def test_reactions_edits_and_revocations_arrive(anna: Linked, ben: Phone) -> None:
    """Those of a phone reach the library, and a reaction of the library reaches the phone."""
    message_id = await ben.send_text(anna.phone.number, "helo")
    event = await anna.client.wait_for("message", id=message_id)
    await ben.edit(message_id, "hello")
    await anna.client.wait_for("message", kind="protocol-14", target=message_id, text="hello")
    await ben.revoke(message_id)
    await anna.client.wait_for("message", kind="protocol-0", target=message_id)

    emoji = "\N{OK HAND SIGN}"
    chat, sender = event["chat"], event["sender"]
    await anna.client.do("react", chat=chat, sender=sender, id=message_id, emoji=emoji)
    reaction = await ben.next_message()
    assert (reaction.kind, reaction.target_id) == ("reaction", message_id)
    assert reaction.text == emoji


@pytest.mark.parametrize(("kind", "content"), [("location", LOCATION), ("contact", CONTACT)])
async def test_content_of_a_kind_arrives_both_ways(
    anna: Linked, ben: Phone, kind: str, content: dict[str, Any]
) -> None:
    """Field by field: from a phone on the library, and from the library on both phones."""
    theirs = await ben.send_content(anna.phone.number, content)
    assert (await anna.client.wait_for("message", id=theirs))["content"] == content
    assert (await anna.got(theirs)).content == content

    ours = await anna.client.do("send_content", to=ben.number, content=content)
    message = await ben.next_message()
    assert (message.message_id, message.kind) == (ours, kind)
    for shown in (message, await anna.wrote(ours)):
        assert without_context(shown.content) == content


@pytest.mark.parametrize("kind", ["reaction", "edit", "revoke"])
async def test_what_points_to_a_message_arrives_both_ways(
    anna: Linked, ben: Phone, kind: str
) -> None:
    """The library names the same message, and the own phone has a copy of what it wrote."""
    theirs = await ben.send_text(anna.phone.number, "helo")
    change = about(theirs, anna.phone.jid, from_me=True)[kind]
    await anna.client.wait_for("message", id=theirs)
    event = await anna.client.wait_for(
        "message", id=await ben.send_content(anna.phone.number, change)
    )
    assert event["target"] == theirs
    assert event["content"] == change.get("editedMessage", {"message": change})["message"]

    ours = await anna.client.do("send", to=ben.number, text="helo")
    await ben.inbox.wait_for(lambda message: message.message_id == ours, timeout=30)
    change = about(ours, ben.jid, from_me=True)[kind]
    changed = await anna.client.do("send_content", to=ben.number, content=change)
    message = await ben.inbox.wait_for(lambda one: one.message_id == changed, timeout=30)
    for shown in (message, await anna.wrote(changed)):
        assert (shown.kind, shown.target_id) == (kind, ours)
        assert without_context(shown.content) == change


async def test_what_the_own_phone_writes_of_a_kind_is_shown_on_the_library(
    anna: Linked, ben: Phone
) -> None:
    """Filed under the recipient's chat, as a text is."""
    message_id = await anna.phone.send_content(ben.number, LOCATION)

    event = await anna.client.wait_for("message", id=message_id)
    assert (event["from_me"], event["chat"]) == (True, str(ben.jid))
    assert event["content"] == LOCATION


def without_context(content: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the library adds to every message."""
    return {name: value for name, value in content.items() if name != "messageContextInfo"}


async def test_what_the_service_pushes_is_confirmed(
    sandbox: Sandbox, anna: Linked, ben: Phone
) -> None:
    """The library shows a receipt that no device has sent, and the service forgets it then."""
    attrs: Attrs = {"from": ben.jid, "id": "3EB0C0FFEE", "type": "read"}

    assert sandbox.connections.push(anna.phone.number, Node("receipt", attrs)) == 1

    await anna.client.wait_for("receipt", ids=["3EB0C0FFEE"], type=READ, sender=str(ben.jid))
    await nothing_waits(sandbox, anna)


async def test_a_recipient_is_refused_until_it_gave_a_token(
    sandbox: Sandbox, anna: Linked, ben: Phone
) -> None:
    """The library shows the token that it was given, and so the message is let through."""
    match = Match(about=ben.number, lacks=("tctoken",))
    rule = Rule(id="cold", point=Point.MESSAGE, match=match, effect=Error(code=463))
    sandbox.faults.add(rule)
    with pytest.raises(RuntimeError, match="server returned error 463"):
        await anna.client.do("send", to=ben.number, text="hello?")

    ben.trust(anna.phone.number)
    await nothing_waits(sandbox, anna)
    await anna.client.do("send", to=ben.number, text="hello!")

    assert (await ben.next_message()).text == "hello!"
    sandbox.faults.remove("cold")


async def test_a_time_lock_is_for_new_chats(sandbox: Sandbox, anna: Linked, ben: Phone) -> None:
    """Those who have written before, or gave a token, are answered; its push does no harm."""
    eve, flo = await sandbox.add_phone(), await sandbox.add_phone()
    await converse(anna, ben)
    until = datetime.now(UTC) + timedelta(hours=1)
    sandbox.set_timelock(anna.phone.number, Timelock(until=until, kind="BIZ_QUALITY"))
    flo.trust(anna.phone.number)
    await nothing_waits(sandbox, anna)

    with pytest.raises(RuntimeError, match="server returned error 463"):
        await anna.client.do("send", to=eve.number, text="hello?")
    for known in (ben, flo):
        await anna.client.do("send", to=known.number, text="hello")
        assert (await known.next_message()).text == "hello"

    sandbox.set_timelock(anna.phone.number, None)
    await anna.client.do("send", to=eve.number, text="hello again")
    assert (await eve.next_message()).text == "hello again"


async def test_somebody_is_known_by_the_lid_only(sandbox: Sandbox, anna: Linked) -> None:
    """The library learns no number, and writes to the LID."""
    gil = await sandbox.add_phone(push_name="Gil", hides_number=True)

    event = await anna.client.wait_for(
        "message", id=await gil.send_text(anna.phone.number, "who am I?")
    )
    assert (event["chat"], event["sender_alt"]) == (str(gil.jid), "")
    await anna.client.do("send", to=event["chat"], text="Gil")

    assert (await gil.next_message()).text == "Gil"
    with pytest.raises(RuntimeError, match="no LID found"):
        await anna.client.do("send", to=gil.number, text="you?")


async def test_a_phone_that_cannot_read_asks_again(anna: Linked, ben: Phone) -> None:
    """The phone lost its session; the library sends the message again in a new one."""
    await converse(anna, ben)
    ben._book.forget(peer_of(anna.phone.companions[0]))

    message_id = await anna.client.do("send", to=ben.number, text="again, please")

    message = await ben.next_message()
    assert (message.message_id, message.text) == (message_id, "again, please")
    await converse(anna, ben)


async def test_a_library_that_cannot_read_is_sent_the_message_again(
    anna: Linked, ben: Phone
) -> None:
    """The phone hears the library ask, and heals the session."""
    await converse(anna, ben)
    disturb(ben, anna.phone)

    message_id = await ben.send_text(anna.phone.number, "in the end")

    await anna.client.wait_for("undecryptable", id=message_id)
    await ben.wait_for_receipt(message_id, ReceiptKind.RETRY)
    event = await anna.client.wait_for("message", id=message_id)
    assert event["text"] == "in the end"
    await converse(anna, ben)


async def test_a_companion_that_cannot_read_its_own_phone_is_sent_the_copy_again(
    sandbox: Sandbox, directory: Path, ben: Phone
) -> None:
    """The copy still belongs to the chat with the recipient."""
    async with linked(sandbox, directory / "dora.db", "4915550004") as dora:
        first = await dora.phone.send_text(ben.number, "one")
        await dora.client.wait_for("message", id=first)
        await dora.wrote(await dora.client.do("send", to=ben.number, text="two"))
        disturb(dora.phone, dora.phone)

        message_id = await dora.phone.send_text(ben.number, "three")

        await dora.client.wait_for("undecryptable", id=message_id)
        event = await dora.client.wait_for("message", id=message_id)
        assert (event["text"], event["from_me"]) == ("three", True)
        assert event["chat"] == str(ben.jid)


async def test_two_libraries_and_their_phones_hold_a_conversation(
    sandbox: Sandbox, directory: Path, anna: Linked
) -> None:
    """Every device of both accounts has every message."""
    async with linked(sandbox, directory / "carl.db", "4915550003") as carl:
        first = await anna.client.do("send", to=carl.phone.number, text="ping")
        await carl.client.wait_for("message", id=first)
        second = await carl.client.do("send", to=anna.phone.number, text="pong")
        await anna.client.wait_for("message", id=second)

        await carl.got(first)
        await anna.got(second)
        await anna.wrote(first)
        await carl.wrote(second)


async def test_messages_wait_for_a_library_that_is_unavailable(
    sandbox: Sandbox, directory: Path, ben: Phone
) -> None:
    """What is written while it is down comes in order at its next login, once."""
    store, number = directory / "emil.db", "4915550005"
    async with linked(sandbox, store, number) as emil:
        jid = emil.client.events[-1]["jid"]
        await emil.client.kill()
    ids = [await ben.send_text(number, str(count)) for count in range(5)]

    async with NeonizeClient.start(env=sandbox.worker_env, store=store, resume=jid) as client:
        for message_id in ids:
            await client.wait_for("message", id=message_id)
        confirmed: set[str] = set()
        while not confirmed.issuperset(ids):
            receipt = await ben.receipts.next(timeout=30)
            confirmed.update(receipt.message_ids if receipt.sender.device else ())
    received = [event["id"] for event in client.events if event["event"] == "message"]
    assert received == ids


async def test_a_burst_of_the_library_arrives_in_order(anna: Linked, ben: Phone) -> None:
    """Two hundred messages, each read by a script, keep their order."""
    ben.on_message(auto_read())

    ids = await anna.client.do("burst", to=ben.number, count=200)

    assert [(await ben.next_message()).message_id for _ in ids] == ids
    await anna.client.wait_for("receipt", ids=[ids[-1]], type=READ, sender=str(ben.jid))
    assert ben.reused_keys == 0


async def test_a_burst_that_a_script_answers_loses_nothing(anna: Linked, ben: Phone) -> None:
    """Writing and reading in one session at once, the library reuses message keys; retries heal it.

    Order is not promised here: what is asked for again arrives later.
    """
    ben.on_message(auto_reply(lambda message: f"re {message.text}"))

    ids = await anna.client.do("burst", to=ben.number, count=100)

    for number in range(100):
        await anna.client.wait_for("message", text=f"re {number}", sender=str(ben.jid))
    received = [message.message_id for message in ben.inbox]
    assert sorted(received) == sorted(ids)


async def test_a_phone_writes_hundreds_at_once(anna: Linked, ben: Phone) -> None:
    """The library gets all of them, once and in order."""
    ids = [await ben.send_text(anna.phone.number, str(number)) for number in range(300)]

    await anna.client.wait_for("message", id=ids[-1])
    assert [event["id"] for event in anna.received(ben)] == ids


async def converse(anna: Linked, ben: Phone) -> None:
    """Let both write and read, so that a session stands and is answered."""
    asked = await anna.client.do("send", to=ben.number, text="there?")
    assert (await ben.next_message()).message_id == asked
    answered = await ben.send_text(anna.phone.number, "here")
    await anna.client.wait_for("message", id=answered)


async def nothing_waits(sandbox: Sandbox, anna: Linked) -> None:
    """Check that the library has confirmed all it got, also what came from its own phone."""

    def settled() -> bool:
        (link,) = sandbox.connections.links(anna.phone.number)
        return link.pending == 0

    await eventually(settled)
