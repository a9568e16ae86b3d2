"""Every kind of content goes out to a phone and comes in from one."""

from gateway_contracts import MessageReceived, MessageSend, MessageSendData, SentInfo
from tests.e2e.harness import Gateway
from tests.support.kinds import CASES, Case, each, parts_of

ALONE = [one for one in CASES if one.about is None and one.kind != "text" and not one.has_media]
"""Texts have stories of their own, and so have files and what is about another message."""


@each(*ALONE)
async def test_a_kind(gateway: Gateway, name: str, case: Case) -> None:
    """The phone shows what was sent, and the backend is told what the phone has written."""
    phone, other = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    if case.is_sent:
        data = MessageSendData.model_validate({"to": other.number, "content": case.contract})
        result = await gateway.succeed(
            MessageSend(source=gateway.backend.source, subject=name, data=data)
        )
        assert isinstance(result, SentInfo)
        shown = await other.next_message(timeout=10)
        assert shown.message_id == result.message_id
        assert parts_of(case.wire, shown.content) == case.wire

    if case.arrives:
        message_id = await other.send_content(phone.number, case.wire)
        event = await gateway.backend.expect(
            MessageReceived, name, lambda event: event.data.message_id == message_id
        )
        assert event.data.content.model_dump(exclude_none=True, mode="json") == case.contract
        assert not event.data.partial
