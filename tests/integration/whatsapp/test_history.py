"""What was written before the account was linked, by way of the real library."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway_contracts import (
    HistoryKind,
    HistoryMessagesData,
    ImageContent,
    MediaState,
    TextContent,
)
from gateway_worker.host_protocol.envelope import HistoryPage
from gateway_worker.host_protocol.layout import HISTORY_NAME
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.signals import Exited
from gateway_worker.sandbox.phones.history import (
    HistoryPart,
    HistoryType,
    PastChat,
    PastMessage,
    made_chats,
)
from gateway_worker.sandbox.phones.values import ReceiptKind
from tests.integration.whatsapp.stage import Account, Stage
from tests.integration.whatsapp.test_replay import Replay
from tests.support.arrivals import InboundMessage
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

ANA = "12025580001@s.whatsapp.net"
GROUP = "120363025550100001@g.us"
SENT_AT = 1_795_000_000
IMAGE = {
    "imageMessage": {
        "URL": "https://mmg.whatsapp.net/x",
        "directPath": "/v/x?oe=1",
        "mimetype": "image/jpeg",
        "caption": "look",
        "mediaKey": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        "fileSHA256": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        "fileEncSHA256": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        "fileLength": "10",
    }
}


async def wanting(stage: Stage, depth: str) -> Account:
    """Link an account that wants its history."""
    account = await stage.account()
    account.settings = HostSettings(history=depth)
    await account.link()
    return account


async def told(
    account: Account,
    where: Callable[[HistoryMessagesData], bool] = lambda _: True,
) -> HistoryMessagesData:
    """Return the next page; it has to fit the contract."""
    page = await account.next(HistoryPage, lambda one: where(read(one)))
    return read(page)


def read(page: HistoryPage) -> HistoryMessagesData:
    """Return what a page says."""
    return HistoryMessagesData.model_validate_json(bytes(page.data))


def said(number: int, **values: Any) -> PastMessage:
    """Return a message of before."""
    fields = {"message_id": f"PAST{number}", "text": f"{number}", "sent_at": SENT_AT - number}
    return PastMessage(**{**fields, **values})


async def test_chats_groups_and_files_are_told(stage: Stage) -> None:
    """With who wrote what, what was read, and where it ends; inline, as the phone begins."""
    account = await wanting(stage, "recent")
    chat = PastChat(
        address=ANA,
        name="Ana",
        unread=1,
        is_whole=True,
        messages=(said(0), said(1, from_me=True), said(2, content=IMAGE)),
    )
    group = PastChat(
        address=GROUP,
        name="Family",
        messages=(said(3, writer=ANA, push_name="Ana from work"),),
    )

    await account.phone.send_history(
        HistoryPart(kind=HistoryType.INITIAL_BOOTSTRAP, chats=(chat, group), external=False)
    )
    first, second = await told(account), await told(account)

    assert (first.kind, first.chat, first.chat_name) == (HistoryKind.BOOTSTRAP, ANA, "Ana")
    assert (first.exhausted, first.finished) == (True, False)
    theirs, mine, picture = first.messages
    assert (theirs.from_me, theirs.sender.jid) == (False, ANA)
    assert mine.sender.jid == f"{account.phone.number}@s.whatsapp.net"
    assert first.read_until == mine.timestamp
    assert isinstance(picture.content, ImageContent)
    assert (picture.content.caption, picture.content.media.state) == ("look", MediaState.OFF)
    assert (second.chat, second.is_group, second.chat_name) == (GROUP, True, "Family")
    (message,) = second.messages
    assert (message.sender.jid, message.sender.push_name) == (ANA, "Ana from work")
    assert message.content == TextContent(text="3")


async def test_a_large_one_comes_as_a_file(stage: Stage) -> None:
    """Page by page, in parts; what arrives meanwhile is told, and the phone's file is gone."""
    account, ben = await wanting(stage, "full"), await stage.customer()
    held = stage.sandbox.service.media.store.held_bytes
    for progress, first in ((50, 1), (100, 1_000)):
        chats = tuple(made_chats(5, 450, characters=300, first=12_025_590_000 + first))
        await account.phone.send_history(
            HistoryPart(kind=HistoryType.FULL, progress=progress, chats=chats)
        )
    await ben.send_text(account.phone.number, "meanwhile")
    last = await told(account, lambda page: page.finished)
    arrived = await account.next(InboundMessage)

    seen = [read(one) for one in account.events if isinstance(one, HistoryPage)]
    assert sum(len(page.messages) for page in seen) == 2 * 5 * 450
    assert max(len(page.messages) for page in seen) == 100
    assert len({page.chat for page in seen}) == 10
    assert [page.progress for page in seen] == sorted(page.progress or 0 for page in seen)
    assert (last.kind, last.exhausted) == (HistoryKind.FULL, True)
    assert arrived.content == TextContent(text="meanwhile")
    await eventually(lambda: stage.sandbox.service.media.store.held_bytes == held)
    await eventually(lambda: not list((account.directory / HISTORY_NAME).iterdir()))
    kinds = {receipt.kind for receipt in account.phone.receipts}
    assert ReceiptKind.OTHER in kinds  # `hist_sync`: the library has told the phone


async def test_nobody_is_told_what_nobody_wants(stage: Stage, shop: Account) -> None:
    """Off, which is what sessions have by themselves."""
    chats = tuple(made_chats(1, 1, characters=10, first=12_025_600_000))
    await shop.phone.send_history(HistoryPart(chats=chats))
    ben = await stage.customer()
    await ben.send_text(shop.phone.number, "after it")
    await shop.next(InboundMessage, lambda one: one.content == TextContent(text="after it"))

    assert not [one for one in shop.events if isinstance(one, HistoryPage)]
    assert not (shop.directory / HISTORY_NAME).exists()


async def test_another_host_goes_on_and_so_does_another_worker(stage: Stage) -> None:
    """From the page that nobody has taken; a replay without the library tells the same."""
    account = await wanting(stage, "recent")
    account.acknowledging = False
    chats = tuple(made_chats(2, 250, characters=20, first=12_025_610_000))
    await account.phone.send_history(HistoryPart(chats=chats))
    first = await account.next(HistoryPage)
    account.host.take_history(first.page)
    second = await account.next(HistoryPage)
    account.host.kill()
    await account.next(Exited)

    await account.launch()  # what it tells first, this or that it is connected, says nothing
    again = await account.next(HistoryPage)
    await account.stop()
    replay = Replay(processes=stage.processes, directory=account.directory, acknowledging=True)
    replay.settings = account.settings
    await replay.start()
    assert (await replay.end()).expected

    assert again == second
    pages = [one for one in replay.events if isinstance(one, HistoryPage)]
    assert pages[0] == second
    assert len(pages) == 5
    assert not list((account.directory / HISTORY_NAME).iterdir())
