"""What hosts obey of their sessions' settings, with the real library."""

import pytest

from gateway_contracts import TextContent
from gateway_worker.host_protocol.media import MediaType
from gateway_worker.host_protocol.methods.media import UploadMedia
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.signals import Ended, Exited
from tests.integration.whatsapp.stage import Stage
from tests.support.arrivals import InboundMessage, InboundReceipt
from tests.support.calls import send_text
from tests.support.connect_proxy import ConnectProxy
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


async def test_files_go_through_the_proxy_and_nothing_goes_past_it(stage: Stage) -> None:
    """Like the connection; a host whose proxy does not answer leaves, and WhatsApp sees nothing."""
    shop = await stage.account()
    async with ConnectProxy.open(stage.sandbox.proxy_url, password="secret") as proxy:
        shop.proxy_url = proxy.url.replace("://", f"://{proxy.username}:{proxy.password}@")
        await shop.link()
        path = shop.directory / "file"
        path.write_bytes(b"x" * 10_000)
        await shop.host.request(UploadMedia(path=str(path), media_type=MediaType.DOCUMENT))
        assert len(set(proxy.targets)) == 2  # its connection, and the media host
        assert proxy.refused == 0
        await shop.stop()
        logins = [link.logins for link in stage.sandbox.connections.links(shop.phone.number)]

        await proxy.die()
        await shop.launch()
        await shop.next(Ended)
        await shop.next(Exited)

    after = [link.logins for link in stage.sandbox.connections.links(shop.phone.number)]
    assert after == logins


async def test_a_chat_is_ignored_for_as_long_as_it_is_set(stage: Stage) -> None:
    """Nothing of it is told or kept, and it is counted; receipts for what is sent come."""
    shop = await stage.linked()
    ben, cara = await stage.customer("Ben"), await stage.customer("Cara")
    counted = stage.processes.ignored["chats"]

    await shop.configure(HostSettings(ignored_chats=(f"{ben.number}@s.whatsapp.net",)))
    await ben.send_text(shop.phone.number, "ignored")
    await cara.send_text(shop.phone.number, "told")
    first = await shop.next(InboundMessage)
    await eventually(lambda: stage.processes.ignored["chats"] == counted + 1)
    sent = await shop.host.request(send_text(to=ben.number, text="hello"))
    await shop.next(InboundReceipt, lambda receipt: receipt.message_id == sent.message_id)
    await shop.configure(HostSettings())
    await ben.send_text(shop.phone.number, "told again")
    second = await shop.next(InboundMessage)

    told = [TextContent(text="told"), TextContent(text="told again")]
    assert [first.content, second.content] == told == [one.content for one in shop.messages()]
