"""Groups and status between simulated phones and the real library."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from gateway_worker.sandbox.phones.outgoing import peer_of
from gateway_worker.sandbox.phones.values import ReceiptKind
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.service.fault_rules import Corrupt, Point, Rule, Who
from gateway_worker.sandbox.settings import SandboxSettings
from gateway_worker.sandbox.wire.node import Node
from tests.support.neonize_client import NeonizeClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway_worker.sandbox.phones.phone import Phone
    from gateway_worker.sandbox.wire.jid import Jid

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]

DELIVERED, READ = 1, 4
STATUS = "status@broadcast"


class Pair:
    """Anna's phone and the library linked to it."""

    def __init__(self, *, sandbox: Sandbox, anna: Phone, client: NeonizeClient) -> None:
        self.sandbox = sandbox
        self.anna = anna
        self.client = client

    @property
    def device(self) -> Jid:
        """The library's address."""
        return self.anna.companions[0]

    async def send(self, to: Jid | str, text: str) -> str:
        """Let the library write; returns the id."""
        message_id: str = await self.client.do("send", to=str(to), text=text)
        return message_id

    async def joined(self, *members: Phone, by: Phone | None = None) -> Jid:
        """Make a group with Anna and wait until the library knows it."""
        maker = by or members[0]
        people = [phone.number for phone in (self.anna, *members) if phone is not maker]
        group = maker.groups.create("Club", people)
        await self.client.wait_for("joined", group=str(group.jid))
        return group.jid


@asynccontextmanager
async def paired(sandbox: Sandbox, number: str, store: Path) -> AsyncIterator[Pair]:
    """Pair a library with a new account."""
    phone = await sandbox.add_phone(number, push_name="Anna")
    async with NeonizeClient.start(env=sandbox.worker_env, store=store) as client:
        await phone.scan((await client.wait_for("qr"))["text"])
        await client.wait_for("connected")
        yield Pair(sandbox=sandbox, anna=phone, client=client)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the clients keep their stores."""
    return tmp_path_factory.mktemp("stores")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(directory: Path) -> AsyncIterator[Pair]:
    """Pair the library once for all tests; afterwards no phone had a problem."""
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox.open(SandboxSettings()))
        yield await stack.enter_async_context(paired(sandbox, "4915550001", directory / "anna.db"))
        assert sandbox.egress_attempts == ()
        for phone in sandbox.phones:
            assert list(phone.handling_errors) == []


@pytest_asyncio.fixture(loop_scope="module")
async def ben(pair: Pair) -> Phone:
    """Switch a new phone on."""
    return await pair.sandbox.add_phone(push_name="Ben")


@pytest_asyncio.fixture(loop_scope="module")
async def cleo(pair: Pair) -> Phone:
    """Switch another new phone on."""
    return await pair.sandbox.add_phone(push_name="Cleo")


async def test_the_library_makes_a_group_and_writes_in_it(
    pair: Pair, ben: Phone, cleo: Phone
) -> None:
    """All members read it, its own phone as well, and confirm it to the library."""
    made = await pair.client.do("create_group", subject="Club", members=[ben.number, str(cleo.jid)])
    assert made["subject"] == "Club"
    assert made["members"] == {
        str(pair.anna.jid): {
            "number": f"{pair.anna.number}@s.whatsapp.net",
            "admin": True,
            "error": 0,
            "invitation": "",
        },
        **{
            str(phone.jid): {
                "number": f"{phone.number}@s.whatsapp.net",
                "admin": False,
                "error": 0,
                "invitation": "",
            }
            for phone in (ben, cleo)
        },
    }
    joined = await pair.client.wait_for("joined", group=made["group"])
    assert (joined["type"], joined["members"]) == ("new", made["members"])

    message_id = await pair.send(made["group"], "hello all")

    for phone in (ben, cleo):
        message = await phone.next_message()
        assert (message.message_id, message.text) == (message_id, "hello all")
        assert (str(message.chat), message.sender) == (made["group"], pair.device)
        await phone.read(message)
        for kind in (DELIVERED, READ):
            await pair.client.wait_for(
                "receipt", ids=[message_id], type=kind, sender=str(phone.jid), chat=made["group"]
            )
    copy = await pair.anna.own_messages.wait_for(
        lambda one: one.message_id == message_id, timeout=10
    )
    assert (copy.text, str(copy.chat), copy.from_me) == ("hello all", made["group"], True)


async def test_phones_write_in_a_group_and_the_library_reads(
    pair: Pair, ben: Phone, cleo: Phone
) -> None:
    """With group, writer and number; what the own phone writes is its own."""
    group = await pair.joined(ben, cleo)
    for number in range(3):
        for phone in (ben, cleo, pair.anna):
            message_id = await phone.send_text(group, f"{phone.push_name} {number}")
            event = await pair.client.wait_for("message", id=message_id)
            assert event["text"] == f"{phone.push_name} {number}"
            assert (event["chat"], event["sender"]) == (str(group), str(phone.jid))
            assert event["sender_alt"] == f"{phone.number}@s.whatsapp.net"
            assert event["from_me"] == (phone is pair.anna)

    last = await cleo.send_text(group, "read this")
    await pair.client.wait_for("message", id=last)
    await pair.client.do("read", chat=str(group), sender=str(cleo.jid), ids=[last])
    await cleo.wait_for_receipt(last, ReceiptKind.DELIVERED)
    await cleo.wait_for_receipt(last, ReceiptKind.READ)


async def test_many_messages_both_ways(pair: Pair, ben: Phone) -> None:
    """The library gives its key with each, the phone once."""
    group = await pair.joined(ben)
    await pair.client.do("burst", to=str(group), count=20)
    sent = [await ben.send_text(group, str(number)) for number in range(20)]

    assert [(await ben.next_message()).text for _ in range(20)] == list(map(str, range(20)))
    for number, message_id in enumerate(sent):
        assert (await pair.client.wait_for("message", id=message_id))["text"] == str(number)


async def test_replies_mentions_and_reactions(pair: Pair, ben: Phone, cleo: Phone) -> None:
    """Both ways they name the message's writer."""
    group = await pair.joined(ben, cleo)
    question = await pair.send(group, "who comes?")
    asked = await ben.next_message()
    reply = await ben.send_text(group, "she?", reply_to=asked, mentions=[cleo.number])
    reaction = await ben.react(asked, "\N{THUMBS UP SIGN}")

    shown = await pair.client.wait_for("message", id=reply)
    assert (shown["quoted"], shown["mentions"]) == (question, [str(cleo.jid)])
    liked = await pair.client.wait_for("message", id=reaction)
    assert (liked["kind"], liked["target"]) == ("reaction", question)

    back = await pair.client.do(
        "react", chat=str(group), sender=str(ben.jid), id=reply, emoji="\N{HEAVY BLACK HEART}"
    )
    got = await ben.inbox.wait_for(lambda one: one.message_id == back, timeout=30)
    assert (got.kind, got.target_id) == ("reaction", reply)
    assert got.content["reactionMessage"]["key"]["participant"] == str(ben.jid)


async def test_members_change(pair: Pair, ben: Phone, cleo: Phone) -> None:
    """What phones do the library is told, and what the library does has its effect."""
    group = await pair.joined(ben)
    ben.groups.promote(group, [pair.anna.jid])
    event = await pair.client.wait_for("group_change", group=str(group))
    assert (event["promote"], event["by"]) == ([str(pair.anna.jid)], str(ben.jid))

    added = await pair.client.do(
        "change_members", group=str(group), action="add", members=[str(cleo.jid), str(ben.jid)]
    )
    assert [one["error"] for one in added.values()] == [0, 409]
    event = await pair.client.wait_for("group_change", join=[str(cleo.jid)])
    assert (event["by"], event["unknown"]) == (str(pair.anna.jid), 0)
    message_id = await pair.send(group, "welcome")
    assert (await cleo.next_message()).message_id == message_id

    await pair.client.do(
        "change_members", group=str(group), action="remove", members=[str(cleo.jid)]
    )
    await pair.client.wait_for("group_change", leave=[str(cleo.jid)])
    await pair.send(group, "without her")
    assert [(await ben.next_message()).text for _ in range(2)] == ["welcome", "without her"]
    assert len(cleo.inbox) == 1
    known = await pair.client.do("group", group=str(group))
    assert set(known["members"]) == {str(ben.jid), str(pair.anna.jid)}


async def test_what_a_group_is_changes(pair: Pair, ben: Phone) -> None:
    """Every change is one that the library understands."""
    group = await pair.joined(ben)
    ben.groups.rename(group, "New")
    ben.groups.describe(group, "about us")
    ben.groups.set_timer(group, 86400)
    ben.groups.let_admins_edit(group, only=True)
    ben.groups.let_admins_write(group, only=True)

    changes = [
        await pair.client.wait_for("group_change", group=str(group), unknown=0) for _ in range(5)
    ]
    assert [one["changed"] for one in changes] == [
        ["name"],
        ["topic"],
        ["ephemeral"],
        ["locked"],
        ["announce"],
    ]
    known = await pair.client.do("group", group=str(group))
    assert (known["subject"], known["description"]) == ("New", "about us")
    assert known["ephemeral_seconds"] == 86400
    assert (known["admins_write"], known["admins_edit"]) == (True, True)
    with pytest.raises(RuntimeError, match="server returned error 403"):
        await pair.send(group, "may I?")

    ben.groups.let_admins_edit(group, only=False)
    ben.groups.let_admins_write(group, only=False)
    ben.groups.describe(group, "")
    ben.groups.set_timer(group, 0)
    for _ in range(4):
        await pair.client.wait_for("group_change", group=str(group), unknown=0)
    await pair.client.do("rename_group", group=str(group), subject="Newer")
    assert ben.groups.get(group).subject.text == "Newer"
    await pair.send(group, "I may")
    assert (await ben.next_message()).text == "I may"


async def test_groups_are_listed_and_left(pair: Pair, ben: Phone) -> None:
    """The library knows those that it is in; of others it is told nothing."""
    group = await pair.joined(ben)
    assert str(group) in {one["group"] for one in await pair.client.do("groups")}

    await pair.client.do("leave_group", group=str(group))

    await pair.client.wait_for("group_change", leave=[str(pair.anna.jid)])
    assert str(group) not in {one["group"] for one in await pair.client.do("groups")}
    with pytest.raises(RuntimeError, match="not participating in that group"):
        await pair.client.do("group", group=str(group))
    with pytest.raises(RuntimeError, match=r"that group does not exist"):
        await pair.client.do("group", group="1203630@g.us")


async def test_the_link_of_a_group(pair: Pair, ben: Phone, cleo: Phone) -> None:
    """The library shows and renews its own, and looks at and uses that of others."""
    own = await pair.client.do("create_group", subject="Own", members=[ben.number])
    link = await pair.client.do("group_link", group=own["group"], renew=False)
    renewed = await pair.client.do("group_link", group=own["group"], renew=True)
    assert link != renewed
    cleo.groups.join(renewed.rpartition("/")[2])
    await pair.client.wait_for("group_change", group=own["group"], join=[str(cleo.jid)])

    other = cleo.groups.create("Other", [ben.number])
    code = cleo.groups.link(other.jid)
    seen = await pair.client.do("group", link=code)
    assert (seen["group"], seen["subject"]) == (str(other.jid), "Other")
    assert await pair.client.do("join_group", link=code) == str(other.jid)
    message_id = await pair.send(other.jid, "I am in")
    for phone in (ben, cleo):
        await phone.inbox.wait_for(lambda one: one.message_id == message_id, timeout=30)
    cleo.groups.renew_link(other.jid)
    with pytest.raises(RuntimeError, match="revoked"):
        await pair.client.do("join_group", link=code)


async def test_who_is_not_added_by_others(pair: Pair, ben: Phone, cleo: Phone) -> None:
    """The library is told why, and that there is an invitation to be sent."""
    cleo.groups.let_contacts_add(only=True)
    own = await pair.client.do("create_group", subject="Own", members=[ben.number])

    results = await pair.client.do(
        "change_members", group=own["group"], action="add", members=[str(cleo.jid)]
    )

    assert results[str(cleo.jid)]["error"] == 403
    assert results[str(cleo.jid)]["invitation"] != ""
    cleo.groups.accept(own["group"], results[str(cleo.jid)]["invitation"])
    await pair.client.wait_for("group_change", group=own["group"], join=[str(cleo.jid)])


async def test_who_was_put_out_is_refused(pair: Pair, ben: Phone) -> None:
    """The library knows the members from before, and the service refuses its message."""
    group = await pair.joined(ben)
    await pair.send(group, "still here")

    ben.groups.remove(group, [pair.anna.jid])

    await pair.client.wait_for("group_change", leave=[str(pair.anna.jid)])
    with pytest.raises(RuntimeError, match="403"):
        await pair.send(group, "and now?")


@pytest.mark.parametrize("lost", ["key", "session"])
async def test_a_phone_that_cannot_read_asks_the_library(pair: Pair, ben: Phone, lost: str) -> None:
    """And is sent the message alone; those that follow are read again."""
    group = await pair.joined(ben)
    await pair.send(group, "first")
    await ben.next_message()
    await ben.send_text(group, "answer")
    await pair.client.wait_for("message", text="answer", chat=str(group))
    if lost == "session":
        ben._book.forget(peer_of(pair.device))
    else:
        who = Who(number=ben.number, device=0)
        pair.sandbox.faults.add(
            Rule(id="lost", point=Point.DELIVERY, who=who, effect=Corrupt(), times=1)
        )

    message_id = await pair.send(group, "again")

    message = await ben.next_message()
    assert (message.message_id, message.text, message.asked_again) == (message_id, "again", 1)
    await pair.send(group, "next")
    assert (await ben.next_message()).text == "next"


async def test_a_library_that_cannot_read_asks_the_phone(pair: Pair, ben: Phone) -> None:
    """Nobody has given it the phone's new key: it gets the message again, with the key."""
    group = await pair.joined(ben)
    first = await ben.send_text(group, "first")
    await pair.client.wait_for("message", id=first)
    ben._sender_keys.renew(str(group))

    message_id = await ben.send_text(group, "again")

    await pair.client.wait_for("undecryptable", id=message_id)
    event = await pair.client.wait_for("message", id=message_id)
    assert (event["text"], event["chat"], event["sender"]) == ("again", str(group), str(ben.jid))
    after = await ben.send_text(group, "next")
    assert (await pair.client.wait_for("message", id=after))["text"] == "next"


async def test_two_libraries_in_a_group(pair: Pair, ben: Phone, directory: Path) -> None:
    """Every device of every member has every message."""
    async with paired(pair.sandbox, "4915550009", directory / "dora.db") as other:
        group = await pair.joined(ben, other.anna)
        await other.client.wait_for("joined", group=str(group))
        for writer, reader in ((pair, other), (other, pair), (pair, other)):
            message_id = await writer.send(group, "from a library")
            event = await reader.client.wait_for("message", id=message_id)
            assert (event["chat"], event["sender"]) == (str(group), str(writer.device))
            assert (await ben.next_message()).message_id == message_id


async def test_members_see_who_writes(pair: Pair, ben: Phone) -> None:
    """In the group's chat."""
    group = await pair.joined(ben)
    await ben.submit(Node("chatstate", {"to": group}, (Node("composing"),)))

    await pair.client.wait_for("typing", chat=str(group))


async def test_a_status_of_a_phone(pair: Pair, ben: Phone) -> None:
    """The library shows it under the address of status, with its writer."""
    ben.show_status_to([pair.anna.number])
    message_id = await ben.send_text(STATUS, "at sea")

    event = await pair.client.wait_for("message", id=message_id)

    assert (event["chat"], event["sender"], event["text"]) == (STATUS, str(ben.jid), "at sea")
    await ben.wait_for_receipt(message_id, ReceiptKind.DELIVERED)
    await pair.client.do("read", chat=STATUS, sender=str(ben.jid), ids=[message_id])
    await ben.wait_for_receipt(message_id, ReceiptKind.READ)


async def test_a_status_of_the_library(pair: Pair, ben: Phone, cleo: Phone) -> None:
    """It is for those whom the service names, and for the own phone."""
    pair.anna.show_status_to([ben.number])

    message_id = await pair.send(STATUS, "at home")

    message = await ben.next_message()
    assert (message.message_id, str(message.chat)) == (message_id, STATUS)
    assert message.sender == pair.device
    await pair.anna.own_messages.wait_for(lambda one: one.message_id == message_id, timeout=30)
    assert len(cleo.inbox) == 0
