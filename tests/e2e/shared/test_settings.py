"""What a backend sets of a session: changed while it runs, kept over a restart."""

from gateway_contracts import (
    Ignorable,
    Ignore,
    MessageReceived,
    SessionGetStatus,
    SessionInfo,
    SessionRestart,
    SessionState,
    SessionUpdate,
    SessionUpdateData,
    TextContent,
)
from tests.e2e.harness import Gateway


async def test_settings_take_effect_and_last(gateway: Gateway, name: str) -> None:
    """Without a new link; what is ignored is not told, and events carry the new notes."""
    phone, ada, ben = [await gateway.sandbox.add_phone() for _ in range(3)]
    await gateway.link(name, phone)
    ignore = Ignore(categories=tuple(Ignorable), chats=(f"+{ada.number}",))
    data = SessionUpdateData(ignore=ignore, labels={"team": "sales"}, metadata={"plan": "pro"})
    update = SessionUpdate(source=gateway.backend.source, subject=name, data=data)

    told = await gateway.succeed(update)
    await ada.send_text(phone.number, "ignored")
    await ben.send_text(phone.number, "told")
    first = await gateway.backend.expect(MessageReceived, name)

    expected = (ignore, {"team": "sales"}, {"plan": "pro"})
    assert (told.ignore, told.labels, told.metadata) == expected
    assert first.data.content == TextContent(text="told")
    assert first.data.session_metadata == {"plan": "pro"}

    seen = len(gateway.backend.arrivals)
    await gateway.succeed(SessionRestart(source=gateway.backend.source, subject=name))
    await gateway.until(name, SessionState.CONNECTED, after=seen)
    info = await gateway.succeed(SessionGetStatus(source=gateway.backend.source, subject=name))
    await ada.send_text(phone.number, "ignored")
    await ben.send_text(phone.number, "told again")
    second = await gateway.backend.expect(MessageReceived, name, after=seen)

    assert isinstance(info, SessionInfo)
    assert (info.ignore, info.labels, info.metadata) == expected
    assert second.data.content == TextContent(text="told again")
