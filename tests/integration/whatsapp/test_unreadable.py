"""Messages that cannot be read are told, never passed over in silence."""

import pytest

from gateway_contracts import UndecryptableReason
from gateway_worker.host_protocol.signals import Exited
from gateway_worker.sandbox.service.faults import Faults
from tests.integration.whatsapp.stage import Stage
from tests.support.arrivals import InboundMessage, UndecryptableMessage
from tests.support.calls import send_text

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


async def test_a_repeat_whose_key_was_used(stage: Stage) -> None:
    """Its confirmation got lost, so WhatsApp sends it again: told with id, chat and writer."""
    account = await stage.linked()
    ben = await stage.customer()
    stage.sandbox.faults.set(account.phone.number, Faults(lost_receipts=1_000))
    ids = [await ben.send_text(account.phone.number, f"{number}") for number in range(2)]
    await account.next(InboundMessage, lambda message: message.message_id == ids[-1])
    account.host.kill()
    await account.next(Exited)
    stage.sandbox.faults.clear(account.phone.number)
    account.acknowledging = False

    await account.resume()

    told = [await account.next(UndecryptableMessage) for _ in ids]
    assert [one.message_id for one in told] == ids
    assert {one.reason for one in told} == {UndecryptableReason.OLD_COUNTER}
    first = account.messages()[0]
    for one in told:
        assert one.chat == first.chat
        assert one.sender == first.sender.jid
    account.host.kill()
    await account.next(Exited)
    account.acknowledging = True
    await account.launch()
    again = [await account.next(UndecryptableMessage) for _ in ids]
    assert [one.message_id for one in again] == ids
    await account.stop()


async def test_a_message_that_comes_again_readable(stage: Stage) -> None:
    """Damaged on the way it is told; sent again by its sender's device it is told to be that."""
    account = await stage.linked()
    ben = await stage.customer()
    await ben.send_text(account.phone.number, "hello")
    await account.next(InboundMessage)
    await account.host.request(send_text(to=ben.number, text="now both have answered"))
    await ben.next_message()
    stage.sandbox.faults.set(account.phone.number, Faults(garbled=1))

    message_id = await ben.send_text(account.phone.number, "garbled")

    told = await account.next(UndecryptableMessage)
    assert told.reason is UndecryptableReason.UNDECRYPTABLE
    assert told.message_id == message_id
    assert told.chat == account.messages()[0].chat
    assert told.sender == account.messages()[0].sender.jid
    assert told.timestamp is not None
    message = await account.next(InboundMessage)
    assert message.message_id == message_id
    assert message.recovered_after == 1
    assert account.messages()[0].recovered_after is None
    await account.stop()
