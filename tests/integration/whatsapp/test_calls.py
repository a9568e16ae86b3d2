"""Calls, from a phone by way of the real library to what its session is told."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway_contracts import CallEndedData, CallReceivedData
from gateway_worker.errors import InvalidCommandError
from gateway_worker.host_protocol.methods.calls import RejectCall
from gateway_worker.host_protocol.methods.method import Done
from gateway_worker.sandbox.service.calls import CallState
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.arrivals import InboundNotice
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

GROUP = "120363025550100001@g.us"


async def received(account: Account, call_id: str) -> CallReceivedData:
    """Return what is told of a call that rings."""
    notice = await account.next(
        InboundNotice,
        lambda one: isinstance(one.data, CallReceivedData) and one.data.call_id == call_id,
    )
    assert isinstance(notice.data, CallReceivedData)
    return notice.data


async def ended(account: Account, call_id: str) -> CallEndedData:
    """Return what is told of the end of a call."""
    notice = await account.next(
        InboundNotice,
        lambda one: isinstance(one.data, CallEndedData) and one.data.call_id == call_id,
    )
    assert isinstance(notice.data, CallEndedData)
    return notice.data


async def test_a_call_rings_and_is_over(stage: Stage, shop: Account) -> None:
    """The caller by number and LID, and why it is over."""
    ben = await stage.customer()
    call = ben.call(shop.phone.number)

    ringing = await received(shop, call.call_id)
    assert ringing.caller.jid == ringing.chat == f"{ben.number}@s.whatsapp.net"
    assert ringing.caller.lid == ringing.chat_lid == ringing.creator == str(ben.jid)
    assert (ringing.video, ringing.is_group, ringing.partial) == (False, False, False)
    assert abs(datetime.now(UTC) - ringing.timestamp) < timedelta(minutes=5)

    ben.hang_up(call.call_id, reason="timeout")
    over = await ended(shop, call.call_id)
    assert (over.caller.jid, over.reason) == (ringing.caller.jid, "timeout")


async def test_calls_with_pictures_and_in_groups(stage: Stage, shop: Account) -> None:
    """A group's is a chat of its own; a call may end without a reason."""
    ben = await stage.customer()
    video = ben.call(shop.phone.number, video=True)
    assert (await received(shop, video.call_id)).video
    group = ben.call(shop.phone.number, video=True, group=GROUP)
    ringing = await received(shop, group.call_id)
    assert (ringing.chat, ringing.chat_lid, ringing.is_group) == (GROUP, None, True)
    assert (ringing.video, ringing.caller.jid) == (True, f"{ben.number}@s.whatsapp.net")

    ben.hang_up(group.call_id)
    over = await ended(shop, group.call_id)
    assert (over.chat, over.is_group, over.reason) == (GROUP, True, None)


async def test_a_call_that_came_meanwhile(stage: Stage) -> None:
    """It is told when the session is back, with the time at which it was."""
    account, ben = await stage.linked(), await stage.customer()
    await account.stop()
    call = ben.call(account.phone.number)
    ben.hang_up(call.call_id)

    await account.resume()
    assert (await received(account, call.call_id)).caller.jid == f"{ben.number}@s.whatsapp.net"
    await ended(account, call.call_id)


async def test_a_call_is_refused(stage: Stage, shop: Account) -> None:
    """The phone hears which device has done it; a call that nobody knows is refused as well."""
    ben = await stage.customer()
    call = ben.call(shop.phone.number)
    ringing = await received(shop, call.call_id)

    for call_id in (call.call_id, "UNKNOWN"):
        answer = await shop.host.request(RejectCall(call_id=call_id, caller=ringing.creator))
        assert answer == Done()
    await eventually(lambda: call.state is CallState.REJECTED)
    assert call.rejected_by in shop.phone.companions


async def test_a_caller_that_is_none(shop: Account) -> None:
    """Nothing is asked of WhatsApp."""
    with pytest.raises(InvalidCommandError):
        await shop.host.request(RejectCall(call_id="C1", caller="nobody"))
