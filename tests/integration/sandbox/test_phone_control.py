"""The whole story from outside: sandbox process, control API, real library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.control.client import ControlError, SandboxClient
from gateway_worker.sandbox.control.models import FaultsBody, LoginFailureBody, ScriptBody
from gateway_worker.sandbox.phones.values import ReceiptKind
from gateway_worker.sandbox.service.faults import StreamEnd
from tests.support.neonize_client import NeonizeClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway_worker.sandbox.pytest_plugin import RunningSandbox

pytest_plugins = ["gateway_worker.sandbox.pytest_plugin"]
pytestmark = pytest.mark.sandbox


@pytest.fixture
async def sandbox(whatsapp_sandbox: RunningSandbox) -> AsyncIterator[SandboxClient]:
    """Connect to the sandbox that the fixture started; afterwards no phone had a problem."""
    async with whatsapp_sandbox.client() as client:
        yield client
        assert (await client.health()).handling_errors == 0


async def test_a_conversation(sandbox: SandboxClient, tmp_path: Path) -> None:
    """Scan, write, deliver, read, answer, unlink."""
    shop, ada = await sandbox.add_phone(push_name="Shop"), await sandbox.add_phone(push_name="Ada")
    env = await sandbox.worker_env()
    async with NeonizeClient.start(env=env, store=tmp_path / "a.db") as client:
        linked = await sandbox.scan(shop.number, (await client.wait_for("qr"))["text"])
        await client.wait_for("connected", jid=linked.number_address)
        (companion,) = (await sandbox.phone(shop.number)).companions
        assert (companion.device, companion.online, companion.logins) == (linked.device, True, 1)

        message_id = await client.do("send", to=ada.number, text="your order is ready")
        message = await sandbox.next_message(ada.number)
        assert (message.message_id, message.sender_number) == (message_id, shop.number)
        await sandbox.read(ada.number, message_id)
        await client.wait_for("receipt", ids=[message_id], type=4)
        answer_id = await sandbox.send_text(
            ada.number, message.chat, "thank you", reply_to=message_id
        )
        answer = await client.wait_for("message", id=answer_id)
        assert (answer["text"], answer["quoted"]) == ("thank you", message_id)
        # The account's own phone confirms as well; the companion is the other one.
        await sandbox.wait_for_receipt(ada.number, answer_id, ReceiptKind.DELIVERED)

        await sandbox.show_typing(ada.number, shop.number)
        await client.wait_for("typing", chat=f"{ada.lid}@lid")

        await sandbox.unlink(shop.number, linked.device)
        await client.wait_for("logged_out")
    assert (await sandbox.phone(shop.number)).companions == ()


async def test_pairing_by_code(sandbox: SandboxClient, tmp_path: Path) -> None:
    """A wrong code has its own error; the right one links."""
    shop = await sandbox.add_phone()
    env = await sandbox.worker_env()
    async with NeonizeClient.start(env=env, store=tmp_path / "a.db") as client:
        await client.wait_for("qr")
        code = await client.do("pair_code", number=shop.number)
        with pytest.raises(ControlError) as caught:
            await sandbox.enter_code(shop.number, "11111111" if code[0] != "1" else "22222222")
        assert caught.value.problem.code == "wrong_code"

        linked = await sandbox.enter_code(shop.number, code)

        await client.wait_for("connected", jid=linked.number_address)


async def test_faults_strike_the_real_library(sandbox: SandboxClient, tmp_path: Path) -> None:
    """A cut link, refused logins, a damaged message, a refused message: and it recovers."""
    shop, ada = await sandbox.add_phone(), await sandbox.add_phone()
    await sandbox.set_script(ada.number, ScriptBody(auto_read=True))
    env = await sandbox.worker_env()
    async with NeonizeClient.start(env=env, store=tmp_path / "a.db") as client:
        await sandbox.scan(shop.number, (await client.wait_for("qr"))["text"])
        await client.wait_for("connected")

        assert await sandbox.disconnect(shop.number) == 1
        await client.wait_for("disconnected")
        await client.wait_for("connected")
        failure = LoginFailureBody(reason=503, times=1)
        await sandbox.set_faults(shop.number, FaultsBody(login_failure=failure))
        assert await sandbox.disconnect(shop.number, StreamEnd.UNAVAILABLE) == 1
        await client.wait_for("connected")

        await sandbox.set_faults(shop.number, FaultsBody(garbled=1))
        message_id = await sandbox.send_text(ada.number, shop.number, "readable in the end")
        await client.wait_for("undecryptable", id=message_id)
        event = await client.wait_for("message", id=message_id)
        assert event["text"] == "readable in the end"
        await sandbox.wait_for_receipt(ada.number, message_id, ReceiptKind.RETRY)

        await sandbox.set_faults(shop.number, FaultsBody(error_acks=1))
        with pytest.raises(RuntimeError, match="479"):
            await client.do("send", to=ada.number, text="refused")
        await sandbox.clear_faults(shop.number)
        read_id = await client.do("send", to=ada.number, text="accepted")
        await client.wait_for("receipt", ids=[read_id], type=4)
        assert [item.text for item in (await sandbox.inbox(ada.number)).items] == ["accepted"]
