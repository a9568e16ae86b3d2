"""A session that sends by a pace: who waits, who passes, and what is refused."""

from datetime import UTC, datetime, timedelta

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    Pacing,
    PacingProfile,
    QuietHours,
    RecipientPacing,
    SessionStop,
    SessionUpdate,
    SessionUpdateData,
    TypingPace,
)
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.harness import Gateway
from tests.support.eventually import eventually
from tests.support.pacing import consistently


async def set_pacing(gateway: Gateway, name: str, pacing: Pacing) -> None:
    """Set how fast a session sends."""
    data = SessionUpdateData(pacing=pacing)
    update = SessionUpdate(source=gateway.backend.source, subject=name, data=data)
    info = await gateway.succeed(update)
    assert info.pacing == pacing


async def test_a_chat_waits_and_others_pass(gateway: Gateway, name: str) -> None:
    """It goes when its time has come, or when the pace is set otherwise; in its order."""
    shop, ada, ben = [await gateway.sandbox.add_phone() for _ in range(3)]
    await gateway.link(name, shop)
    recipient = RecipientPacing(burst=1, seconds=200)
    await set_pacing(gateway, name, Pacing(profile=PacingProfile.TRUSTED, recipient=recipient))

    first = await gateway.backend.request(gateway.text(name, ada.number, "one"))
    waiting = [gateway.text(name, ada.number, text) for text in ("two", "three")]
    for command in waiting:
        await gateway.backend.publish(command)
    passing = await gateway.backend.request(gateway.text(name, ben.number, "meanwhile"))
    assert isinstance(first, CommandSucceeded)
    assert isinstance(passing, CommandSucceeded)
    assert (first.data.wait_ms, passing.data.wait_ms) == (0, 0)
    await eventually(lambda: texts(ada) == ["one"])

    await set_pacing(gateway, name, Pacing(profile=PacingProfile.OFF))
    ends = [await gateway.backend.outcome(command.id) for command in waiting]

    held = [end.data.wait_ms for end in ends if isinstance(end, CommandSucceeded)]
    assert len(held) == 2
    assert held[0]
    await eventually(lambda: texts(ada) == ["one", "two", "three"])


async def test_somebody_seems_to_type(gateway: Gateway, name: str) -> None:
    """For as long as the text is; then it comes."""
    shop, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    await gateway.send(name, ada.number, "hello")
    typing = TypingPace(characters_per_second=20)
    await set_pacing(gateway, name, Pacing(profile=PacingProfile.TRUSTED, typing=typing))

    sent = await gateway.backend.request(gateway.text(name, ada.number, "x" * 20))

    assert isinstance(sent, CommandSucceeded)
    assert sent.data.wait_ms is not None
    assert sent.data.wait_ms >= 990
    assert (await ada.presences.next(timeout=30)).state == "composing"


async def test_what_would_come_too_late_is_refused_at_once(gateway: Gateway, name: str) -> None:
    """With the time to come again; nothing is sent, and other chats go on."""
    shop, ada, ben = [await gateway.sandbox.add_phone() for _ in range(3)]
    await gateway.link(name, shop)
    recipient = RecipientPacing(burst=1, seconds=200)
    await set_pacing(gateway, name, Pacing(profile=PacingProfile.TRUSTED, recipient=recipient))
    await gateway.send(name, ada.number, "one")

    late = gateway.text(name, ada.number, "two").model_copy(
        update={"expirytime": datetime.now(UTC) + timedelta(seconds=60)}
    )
    refused = await gateway.fail(late)

    error = refused.data.error
    assert error.code is ErrorCode.RATE_LIMITED
    assert error.retry_after_ms is not None
    assert 60_000 < error.retry_after_ms <= 200_000
    await gateway.send(name, ben.number, "hello")

    now = datetime.now(UTC)
    quiet = QuietHours(
        start=f"{now - timedelta(hours=1):%H:%M}",
        end=f"{now + timedelta(hours=2):%H:%M}",
        time_zone="UTC",
    )
    await set_pacing(gateway, name, Pacing(profile=PacingProfile.TRUSTED, quiet_hours=quiet))
    refused = await gateway.fail(gateway.text(name, ben.number, "at night"))
    assert refused.data.error.code is ErrorCode.RATE_LIMITED
    await consistently(lambda: texts(ada, ben) == ["one", "hello"], seconds=0.3)


async def test_a_stop_ends_what_waits_for_its_time(gateway: Gateway, name: str) -> None:
    """At once: it does not wait for what cannot be sent any more."""
    shop, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    recipient = RecipientPacing(burst=1, seconds=200)
    await set_pacing(gateway, name, Pacing(profile=PacingProfile.TRUSTED, recipient=recipient))
    await gateway.send(name, ada.number, "one")
    waiting = gateway.text(name, ada.number, "two")
    await gateway.backend.publish(waiting)

    await gateway.succeed(SessionStop(source=gateway.backend.source, subject=name))
    end = await gateway.backend.outcome(waiting.id)

    assert isinstance(end, CommandFailed)
    assert end.data.error.code is ErrorCode.SESSION_NOT_CONNECTED


def texts(*phones: Phone) -> list[str | None]:
    """Return what phones have got."""
    return [message.text for phone in phones for message in phone.inbox]
