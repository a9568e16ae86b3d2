"""Calls, as a backend hears of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_contracts import (
    CallEnded,
    CallReceived,
    CallReject,
    CallRejectData,
    Done,
)
from gateway_worker.sandbox.service.calls import CallState
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from tests.e2e.harness import Gateway


async def test_a_call_is_told_and_refused(gateway: Gateway, name: str) -> None:
    """In the caller's chat, with what is needed to refuse it; its end is told, too."""
    shop, ben = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    call = ben.call(shop.number, video=True)
    ringing = (await gateway.backend.expect(CallReceived, name)).data
    assert (ringing.call_id, ringing.video) == (call.call_id, True)
    assert ringing.chat == ringing.chat_id == ringing.caller.jid == f"{ben.number}@s.whatsapp.net"

    data = CallRejectData(call_id=ringing.call_id, caller=ringing.creator)
    command = CallReject(source=gateway.backend.source, subject=name, data=data)
    assert await gateway.succeed(command) == Done()
    await eventually(lambda: call.state is CallState.REJECTED)
    assert call.rejected_by in shop.companions

    ben.hang_up(call.call_id, reason="timeout")
    ended = (await gateway.backend.expect(CallEnded, name)).data
    assert (ended.call_id, ended.reason, ended.chat_id) == (call.call_id, "timeout", ringing.chat)
