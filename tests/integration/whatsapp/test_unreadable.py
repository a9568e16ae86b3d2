"""Messages that cannot be read are told, never passed over in silence."""

import pytest

from gateway_contracts import UndecryptableReason
from gateway_worker.host_protocol.signals import Down, Exited
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


@pytest.mark.parametrize(
    "called",
    [
        "Failed to encrypt 3EB0 for 7:1@lid: database or disk is full",
        "Error decrypting message 3EB0 from 7@lid: failed to decrypt normal message: sql: gone",
        "Ignoring message 3EB0 from 88@lid: received message with old counter",
    ],
)
async def test_what_a_message_is_called_is_no_word_of_the_library(
    stage: Stage, called: str
) -> None:
    """Its writer chooses that, and the library writes it into its log: nothing is cut or forged."""
    account = await stage.linked()
    ben = await stage.customer()
    await ben.send_text(account.phone.number, "hello")
    first = await account.next(InboundMessage)
    await account.host.request(send_text(to=ben.number, text="now both have answered"))
    await ben.next_message()
    stage.sandbox.faults.set(
        account.phone.number, Faults(garbled=1, altered=1, alterations={"id": called})
    )
    await ben.send_text(account.phone.number, "garbled")

    told = await account.next(UndecryptableMessage)
    assert (told.reason, told.sender) == (UndecryptableReason.UNDECRYPTABLE, first.sender.jid)
    assert told.message_id.startswith("invalid-")
    await account.host.request(send_text(to=ben.number, text="still here"))
    last = await ben.send_text(account.phone.number, "so am I")
    await account.next(InboundMessage, lambda message: message.message_id == last)
    others = [one for one in account.events if isinstance(one, UndecryptableMessage)]
    assert all(one.reason is UndecryptableReason.UNDECRYPTABLE for one in others)
    assert not [one for one in account.events if isinstance(one, Down | Exited)]
    await account.stop()
