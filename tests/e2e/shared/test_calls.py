"""Calls, as a backend hears of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_contracts import (
    CallEnded,
    CallReceived,
    CallReject,
    CallRejectData,
    Calls,
    CommandSucceeded,
    Done,
    SessionUpdate,
    SessionUpdateData,
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


async def test_calls_are_refused_and_callers_written_to(gateway: Gateway, name: str) -> None:
    """Once that is set, without a new link; the caller is written once for each call."""
    shop, ben = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    settings = SessionUpdateData(calls=Calls(auto_reject=True, text="Please write to us"))
    await gateway.succeed(SessionUpdate(source=gateway.backend.source, subject=name, data=settings))

    call = ben.call(shop.number)
    ringing = await gateway.backend.expect(CallReceived, name)
    assert ringing.data.auto_rejected
    await eventually(lambda: call.state is CallState.REJECTED)
    assert (await ben.next_message(timeout=30)).text == "Please write to us"
    written = await gateway.backend.expect(
        CommandSucceeded, name, lambda event: event.correlationid == f"{ringing.id}-answer"
    )
    assert written.data.chat_id == ringing.data.chat_id
    assert len(ben.inbox) == 1
