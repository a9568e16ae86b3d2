"""What a backend may ask of the whole fleet, and how it calls off what waits for a session."""

from gateway_contracts import (
    FLEET,
    CommandFailed,
    ErrorCode,
    Pacing,
    PacingProfile,
    RecipientPacing,
    SessionList,
    SessionListData,
    SessionPage,
    SessionState,
    SessionUpdate,
    SessionUpdateData,
)
from gateway_contracts.commands.queue import Purged, QueuePurge
from tests.e2e.harness import Gateway


async def test_a_backend_reconciles(gateway: Gateway, name: str) -> None:
    """Any worker answers, by labels and states, page by page."""
    await gateway.create(name)
    labels = {"test": name}
    await gateway.succeed(
        SessionUpdate(
            source=gateway.backend.source, subject=name, data=SessionUpdateData(labels=labels)
        )
    )
    await gateway.until(name, SessionState.PAIRING)
    data = SessionListData(labels=labels, states=(SessionState.PAIRING,), limit=1)
    command = SessionList(source=gateway.backend.source, subject=FLEET, data=data)

    page = await gateway.succeed(command)

    assert isinstance(page, SessionPage)
    (session,) = page.sessions
    assert (session.session, session.state, session.labels) == (name, SessionState.PAIRING, labels)
    assert session.worker is not None
    assert page.next_cursor is None
    wrong = SessionListData(cursor="made-up")
    failed = await gateway.fail(
        SessionList(source=gateway.backend.source, subject=FLEET, data=wrong)
    )
    assert failed.data.error.code is ErrorCode.INVALID_COMMAND


async def test_what_waits_is_called_off(gateway: Gateway, name: str) -> None:
    """Also a message that waits for its time; nobody gets it."""
    shop, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    slow = Pacing(profile=PacingProfile.TRUSTED, recipient=RecipientPacing(burst=1, seconds=200))
    update = SessionUpdate(
        source=gateway.backend.source, subject=name, data=SessionUpdateData(pacing=slow)
    )
    await gateway.succeed(update)
    await gateway.send(name, ada.number, "one")
    waiting = [gateway.text(name, ada.number, text) for text in ("two", "three")]
    for command in waiting:
        await gateway.backend.publish(command)

    purged = await gateway.succeed(QueuePurge(source=gateway.backend.source, subject=name))
    ends = [await gateway.backend.outcome(command.id) for command in waiting]

    assert isinstance(purged, Purged)
    assert purged.commands in {1, 2}  # the first of them may have been on its way to waiting
    codes = [end.data.error.code for end in ends if isinstance(end, CommandFailed)]
    assert codes == [ErrorCode.CANCELLED] * 2
    off = Pacing(profile=PacingProfile.OFF)
    await gateway.succeed(
        SessionUpdate(
            source=gateway.backend.source, subject=name, data=SessionUpdateData(pacing=off)
        )
    )
    await gateway.send(name, ada.number, "four")
    assert [message.text for message in ada.inbox][:1] == ["one"]
    await ada.inbox.wait_for(lambda message: message.text == "four", timeout=30)
    assert [message.text for message in ada.inbox] == ["one", "four"]
