"""Simulated phones and the real library write to each other."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.phones.outgoing import peer_of
from gateway_worker.sandbox.phones.scripts import auto_read, auto_reply
from gateway_worker.sandbox.phones.values import ReceiptKind
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.settings import SandboxSettings
from gateway_worker.sandbox.signal.kdf import ChainKey
from tests.support.neonize_client import NeonizeClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway_worker.sandbox.phones.phone import Phone

pytestmark = pytest.mark.sandbox

DELIVERED, READ, INACTIVE = 1, 4, 9


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Open a sandbox; afterwards no phone had a problem and nothing tried to leave the machine."""
    async with Sandbox.open(SandboxSettings()) as sandbox:
        yield sandbox
        assert sandbox.egress_attempts == ()
        for phone in sandbox.phones:
            assert list(phone.problems) == []


@pytest.fixture
async def ben(sandbox: Sandbox) -> Phone:
    """Switch the customer's phone on; it has no companion."""
    return await sandbox.add_phone("4915550002", push_name="Ben")


@asynccontextmanager
async def linked(
    sandbox: Sandbox, store: Path, number: str = "4915550001"
) -> AsyncIterator[tuple[Phone, NeonizeClient]]:
    """Pair a client with a new account."""
    phone = await sandbox.add_phone(number, push_name="Anna")
    async with NeonizeClient.start(env=sandbox.worker_env, store=store) as client:
        await phone.scan((await client.wait_for("qr"))["text"])
        await client.wait_for("connected")
        yield phone, client


async def test_a_text_of_the_library_reaches_both_phones(
    sandbox: Sandbox, ben: Phone, tmp_path: Path
) -> None:
    """The customer's phone gets it, the own phone a copy, the library its receipts."""
    async with linked(sandbox, tmp_path / "a.db") as (anna, client):
        message_id = await client.do("send", to=ben.number, text="hello Ben")

        message = await ben.next_message()
        assert (message.message_id, message.text) == (message_id, "hello Ben")
        assert message.sender == anna.companions[0]
        assert (message.sender_number, message.chat) == (anna.number, anna.jid)
        copy = await anna.own_messages.next(timeout=10)
        assert (copy.message_id, copy.text, copy.from_me) == (message_id, "hello Ben", True)
        assert (copy.chat, copy.sender) == (ben.jid, anna.companions[0])
        await client.wait_for("receipt", ids=[message_id], type=DELIVERED, sender=str(ben.jid))
        await ben.read(message)
        await client.wait_for("receipt", ids=[message_id], type=READ, sender=str(ben.jid))


async def test_a_text_of_a_phone_reaches_the_library(
    sandbox: Sandbox, ben: Phone, tmp_path: Path
) -> None:
    """Sender, number, name and chat are right, and the phone sees delivered and read."""
    async with linked(sandbox, tmp_path / "a.db") as (anna, client):
        message_id = await ben.send_text(anna.number, "hello Anna")

        event = await client.wait_for("message", id=message_id)
        assert (event["text"], event["from_me"], event["name"]) == ("hello Anna", False, "Ben")
        assert (event["sender"], event["chat"]) == (str(ben.jid), str(ben.jid))
        assert event["sender_alt"] == f"{ben.number}@s.whatsapp.net"
        seen = await ben.receipts.wait_for(lambda receipt: receipt.sender.device > 0, timeout=10)
        assert (seen.message_ids, seen.kind) == ((message_id,), ReceiptKind.DELIVERED)
        await client.do("read", chat=event["chat"], ids=[message_id])
        await ben.wait_for_receipt(message_id, ReceiptKind.READ)
        assert (await anna.next_message()).message_id == message_id


async def test_what_the_own_phone_writes_is_shown_on_the_library(
    sandbox: Sandbox, ben: Phone, tmp_path: Path
) -> None:
    """The companion files it under the recipient's chat, as written by the account itself."""
    async with linked(sandbox, tmp_path / "a.db") as (anna, client):
        message_id = await anna.send_text(ben.number, "from my phone")

        event = await client.wait_for("message", id=message_id)
        assert (event["text"], event["from_me"]) == ("from my phone", True)
        assert event["chat"] == str(ben.jid)
        assert (await ben.next_message()).text == "from my phone"
        await client.do("send", to=ben.number, text="afterwards")
        await ben.next_message()
        (link,) = sandbox.faults.links(anna.number)
        assert link.pending == 0


async def test_what_is_read_on_the_own_phone_is_told_to_the_library(
    sandbox: Sandbox, ben: Phone, tmp_path: Path
) -> None:
    """Several at once; the writer hears of it too, and nothing stays queued."""
    async with linked(sandbox, tmp_path / "a.db") as (anna, client):
        ids = [await ben.send_text(anna.number, str(number)) for number in range(3)]
        for message_id in ids:
            await client.wait_for("message", id=message_id)
        await anna.read(*[await anna.next_message() for _ in ids])

        event = await client.wait_for("receipt", ids=ids, type=READ)
        assert (event["sender"], event["chat"]) == (str(anna.jid), str(ben.jid))
        await ben.wait_for_receipt(ids[2], ReceiptKind.READ)
        await client.do("send", to=ben.number, text="afterwards")
        await ben.next_message()
        (link,) = sandbox.faults.links(anna.number)
        assert link.pending == 0


async def test_quotes_and_mentions_survive_both_ways(
    sandbox: Sandbox, ben: Phone, tmp_path: Path
) -> None:
    """A reply names the message it answers and the people it mentions."""
    async with linked(sandbox, tmp_path / "a.db") as (anna, client):
        question_id = await client.do("send", to=ben.number, text="who comes?")
        question = await ben.next_message()
        await ben.send_text(
            question.chat, f"@{ben.number} does", reply_to=question, mentions=[ben.number]
        )

        reply = await client.wait_for("message", quoted=question_id)
        assert (reply["quoted_text"], reply["mentions"]) == ("who comes?", [str(ben.jid)])

        quote = {"id": reply["id"], "participant": str(ben.jid), "text": reply["text"]}
        await client.do("send", to=ben.number, text="good", quote=quote, mentions=[str(anna.jid)])
        answer = await ben.next_message()
        assert (answer.quoted_id, answer.mentions) == (reply["id"], (anna.jid,))


async def test_reactions_edits_and_revocations_reach_the_library(
    sandbox: Sandbox, ben: Phone, tmp_path: Path
) -> None:
    """And a reaction of the library reaches the phone."""
    async with linked(sandbox, tmp_path / "a.db") as (anna, client):
        message_id = await ben.send_text(anna.number, "helo")
        event = await client.wait_for("message", id=message_id)
        await ben.edit(message_id, "hello")
        await client.wait_for("message", kind="protocol-14", target=message_id, text="hello")
        await ben.revoke(message_id)
        await client.wait_for("message", kind="protocol-0", target=message_id)

        await client.do(
            "react",
            chat=event["chat"],
            sender=event["sender"],
            id=message_id,
            emoji="\N{OK HAND SIGN}",
        )
        reaction = await ben.next_message()
        assert (reaction.kind, reaction.target_id) == ("reaction", message_id)
        assert reaction.text == "\N{OK HAND SIGN}"


async def test_a_phone_that_cannot_read_asks_again(
    sandbox: Sandbox, ben: Phone, tmp_path: Path
) -> None:
    """The phone lost its session; the library sends the message again in a new one."""
    async with linked(sandbox, tmp_path / "a.db") as (anna, client):
        await client.do("send", to=ben.number, text="one")
        await ben.next_message()
        await ben.send_text(anna.number, "two")
        await client.wait_for("message", text="two")
        ben._book.forget(peer_of(anna.companions[0]))

        message_id = await client.do("send", to=ben.number, text="three")

        message = await ben.next_message()
        assert (message.message_id, message.text) == (message_id, "three")
        await ben.send_text(anna.number, "four")
        await client.wait_for("message", text="four")


async def test_a_library_that_cannot_read_is_sent_the_message_again(
    sandbox: Sandbox, ben: Phone, tmp_path: Path
) -> None:
    """The phone uses a session that the library does not know, then heals it."""
    async with linked(sandbox, tmp_path / "a.db") as (anna, client):
        await client.do("send", to=ben.number, text="one")
        await ben.next_message()
        await ben.send_text(anna.number, "two")
        await client.wait_for("message", text="two")
        (session,) = ben._book._sessions[peer_of(anna.companions[0])]
        session.sending_chain = ChainKey(key=bytes(32), index=session.sending_chain.index)

        message_id = await ben.send_text(anna.number, "three")

        await client.wait_for("undecryptable", id=message_id)
        await ben.wait_for_receipt(message_id, ReceiptKind.RETRY)
        event = await client.wait_for("message", id=message_id)
        assert event["text"] == "three"


async def test_a_companion_that_cannot_read_its_own_phone_is_sent_the_copy_again(
    sandbox: Sandbox, ben: Phone, tmp_path: Path
) -> None:
    """The copy still belongs to the chat with the recipient."""
    async with linked(sandbox, tmp_path / "a.db") as (anna, client):
        await anna.send_text(ben.number, "one")
        await client.wait_for("message", text="one")
        await client.do("send", to=ben.number, text="two")
        await anna.own_messages.wait_for(lambda message: message.text == "two", timeout=10)
        (session,) = anna._book._sessions[peer_of(anna.companions[0])]
        session.sending_chain = ChainKey(key=bytes(32), index=session.sending_chain.index)

        message_id = await anna.send_text(ben.number, "three")

        await client.wait_for("undecryptable", id=message_id)
        event = await client.wait_for("message", id=message_id)
        assert (event["text"], event["from_me"]) == ("three", True)
        assert event["chat"] == str(ben.jid)


async def test_two_clients_with_their_phones_hold_a_conversation(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Library to library: every device of both accounts has every message."""
    async with (
        linked(sandbox, tmp_path / "a.db") as (anna, left),
        linked(sandbox, tmp_path / "b.db", "4915550003") as (carl, right),
    ):
        first = await left.do("send", to=carl.number, text="ping")
        await right.wait_for("message", id=first)
        second = await right.do("send", to=anna.number, text="pong")
        await left.wait_for("message", id=second)

        assert (await carl.next_message()).message_id == first
        assert (await anna.next_message()).message_id == second
        assert (await anna.own_messages.next(timeout=10)).message_id == first
        assert (await carl.own_messages.next(timeout=10)).message_id == second


async def test_messages_wait_for_a_library_that_is_away(
    sandbox: Sandbox, ben: Phone, tmp_path: Path
) -> None:
    """What is written while it is down comes in order at its next login, once."""
    async with linked(sandbox, tmp_path / "a.db") as (anna, client):
        jid = client.events[-1]["jid"]
        await client.kill()
    ids = [await ben.send_text(anna.number, str(number)) for number in range(5)]

    store = tmp_path / "a.db"
    async with NeonizeClient.start(env=sandbox.worker_env, store=store, resume=jid) as client:
        for message_id in ids:
            await client.wait_for("message", id=message_id)
            await ben.receipts.wait_for(
                lambda seen, wanted=message_id: (  # type: ignore[misc]
                    seen.sender.device > 0 and wanted in seen.message_ids
                ),
                timeout=10,
            )
    received = [event["id"] for event in client.events if event["event"] == "message"]
    assert received == ids


async def test_a_burst_arrives_in_order(sandbox: Sandbox, ben: Phone, tmp_path: Path) -> None:
    """Several hundred messages, each read by a script, keep their order."""
    ben.on_message(auto_read())
    async with linked(sandbox, tmp_path / "a.db") as (_, client):
        ids = await client.do("burst", to=ben.number, count=200)

        assert [(await ben.next_message()).message_id for _ in ids] == ids
        await client.wait_for("receipt", ids=[ids[-1]], type=READ)
        assert ben.reused_keys == 0


async def test_a_burst_that_a_script_answers_loses_nothing(
    sandbox: Sandbox, ben: Phone, tmp_path: Path
) -> None:
    """Writing and reading in one session at once, the library reuses message keys; retries heal it.

    Order is not promised here: what is asked for again arrives later.
    """
    ben.on_message(auto_reply(lambda message: f"re {message.text}"))
    async with linked(sandbox, tmp_path / "a.db") as (_, client):
        ids = await client.do("burst", to=ben.number, count=100)

        for number in range(100):
            await client.wait_for("message", text=f"re {number}")
        received = [message.message_id for message in ben.inbox]
        assert sorted(received) == sorted(ids)


async def test_a_phone_writes_hundreds_at_once(
    sandbox: Sandbox, ben: Phone, tmp_path: Path
) -> None:
    """The library gets all of them, once and in order."""
    async with linked(sandbox, tmp_path / "a.db") as (anna, client):
        ids = [await ben.send_text(anna.number, str(number)) for number in range(300)]

        for message_id in ids:
            await client.wait_for("message", id=message_id)
        assert [event["id"] for event in client.events if event["event"] == "message"] == ids
