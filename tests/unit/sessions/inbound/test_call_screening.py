"""Calls that are refused because a session's backend has set so."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import pytest_asyncio

from gateway_contracts import CallReceived, CallReceivedData, Calls, Participant
from gateway_worker.errors import UpstreamTimeoutError
from gateway_worker.host_protocol.methods.calls import RejectCall
from gateway_worker.host_protocol.methods.method import Done, Method, R
from gateway_worker.runtime.background import Background
from gateway_worker.runtime.clock import SystemClock
from gateway_worker.sessions.deferred import DeferredRow
from gateway_worker.sessions.hosting import SessionHost
from gateway_worker.sessions.inbound.call_screening import RINGS, CallScreening
from tests.support.ports import UnaskedHost

BEN = "4915500001@s.whatsapp.net"


class Host(UnaskedHost):
    """A host that refuses calls, or cannot."""

    def __init__(self, *, answers: bool = True) -> None:
        self.rejected: list[RejectCall] = []
        self._answers = answers

    async def request(
        self, call: Method[R], *, command_id: str | None = None, seconds: float | None = None
    ) -> R:
        """Note what is asked."""
        assert isinstance(call, RejectCall)
        self.rejected.append(call)
        if not self._answers:
            raise UpstreamTimeoutError("nothing came")
        return cast("R", Done())


def ringing(*, age: timedelta = timedelta(0), is_group: bool = False) -> CallReceived:
    """Return a call that began so long ago."""
    data = CallReceivedData(
        call_id="C1",
        chat="1203@g.us" if is_group else BEN,
        caller=Participant(jid=BEN),
        creator="77@lid",
        is_group=is_group,
        timestamp=datetime.now(UTC) - age,
    )
    return CallReceived(source="/workers/w", subject="s", data=data)


def written(call: CallReceived, text: str) -> DeferredRow:
    """Return what a caller is written, as far as these tests look."""
    return DeferredRow(
        command_id=f"{call.id}-answer",
        command_type="wa.message.send.v1",
        fingerprint=text,
        due_at=datetime.now(UTC),
        body=b"",
    )


@pytest_asyncio.fixture
async def background() -> AsyncIterator[Background]:
    """Return what goes on beside; it is over at the end."""
    background = Background(name="test")
    yield background
    await background.cancel()


def screening(
    background: Background, calls: Calls | None, host: SessionHost | None, told: list[bool]
) -> CallScreening:
    """Return the screening of a session."""
    return CallScreening(
        session_id="s",
        calls=calls,
        host=lambda: host,
        answer=written,
        background=background,
        clock=SystemClock(),
        rejected=lambda *, has_left: told.append(has_left),
    )


async def test_a_call_is_refused_and_its_caller_written_to(background: Background) -> None:
    """As WhatsApp names the caller; the event says so."""
    host, told = Host(), list[bool]()
    screen = screening(background, Calls(auto_reject=True, text="Please write"), host, told).screen
    call, row = screen(ringing())
    await background.join()

    assert call.data.auto_rejected
    assert row is not None
    assert (row.command_id, row.fingerprint) == (f"{call.id}-answer", "Please write")
    assert host.rejected == [RejectCall(call_id="C1", caller="77@lid")]
    assert told == [True]


@pytest.mark.parametrize(
    ("calls", "call", "rejects"),
    [
        (None, {}, False),
        (Calls(), {}, False),
        (Calls(text="Please write"), {}, False),
        (Calls(auto_reject=True), {}, True),
        (Calls(auto_reject=True, text="Please write"), {"is_group": True}, True),
        (Calls(auto_reject=True, text="Please write"), {"age": 2 * RINGS}, False),
    ],
    ids=["unset", "off", "only a text", "no text", "in a group", "late"],
)
async def test_nobody_is_written_to(
    background: Background,
    calls: Calls | None,
    call: dict[str, Any],
    rejects: bool,  # noqa: FBT001 - a case
) -> None:
    """Without a refusal, without a text, and in groups."""
    host = Host()
    told, row = screening(background, calls, host, []).screen(ringing(**call))
    await background.join()

    assert (told.data.auto_rejected, bool(host.rejected), row) == (rejects, rejects, None)


async def test_a_session_without_a_host(background: Background) -> None:
    """Nothing is refused, and that is not said."""
    calls = Calls(auto_reject=True, text="Please write")
    told, row = screening(background, calls, None, []).screen(ringing())
    assert (told.data.auto_rejected, row) == (False, None)


async def test_what_is_set_while_the_session_runs(background: Background) -> None:
    """The next call is refused; a refusal that does not leave is counted."""
    host, told = Host(answers=False), list[bool]()
    found = screening(background, None, host, told)
    found.calls = Calls(auto_reject=True)
    call, _ = found.screen(ringing())
    await background.join()

    assert call.data.auto_rejected
    assert told == [False]
