"""Creates a session and follows it until its account is linked: the QR code is in the terminal."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import segno
import typer

from gateway_contracts import Event, SessionPairCode, SessionQr, SessionState, SessionStatus
from gateway_contracts.client import GatewayClient
from gateway_worker.ctl.asking import Question, print_answer
from gateway_worker.ctl.exit_codes import EXIT_FAILED, EXIT_NO_OUTCOME
from gateway_worker.ctl.output import complain, plain, say
from gateway_worker.ctl.speaking import outcomes_of, source_of, speak

_OVER: Final = {
    SessionState.STOPPED,
    SessionState.LOGGED_OUT,
    SessionState.BANNED,
    SessionState.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Linking:
    """A session to be created.

    Attributes:
        session: Its id.
        data: Of its `session.create`.
        wait: Whether it is followed.
        seconds: How long.
        as_json: Whether events are printed, and not what they look like.
    """

    session: str
    data: Mapping[str, Any]
    wait: bool
    seconds: float
    as_json: bool


def link(context: typer.Context, linking: Linking) -> NoReturn:
    """Create the session, follow it and end the program."""
    question = Question(type="session.create", session=linking.session, data=linking.data)
    command = question.command(source_of(context))

    async def work(client: GatewayClient) -> int:
        answer = await client.request(command)
        if not linking.wait:
            print_answer(answer, as_json=linking.as_json)
            return 0
        try:
            async with asyncio.timeout(linking.seconds):
                return await _follow(client, linking)
        except TimeoutError:
            complain(f"{linking.session} is not connected after {linking.seconds:g} s; it goes on")
            return EXIT_NO_OUTCOME

    patterns = (outcomes_of(linking.session), f"session.*.{linking.session}")
    speak(context, work, patterns=patterns, reads_events=True, json=linking.as_json)


async def _follow(client: GatewayClient, linking: Linking) -> int:
    async for received in client.events():
        event = received.event
        if event.subject != linking.session:
            continue
        if linking.as_json:
            if isinstance(event, SessionQr | SessionPairCode | SessionStatus):
                say(json.dumps(json.loads(received.body)))
                sys.stdout.flush()
        else:
            _show(event)
        if isinstance(event, SessionStatus):
            if event.data.state is SessionState.CONNECTED:
                return 0
            if event.data.state in _OVER:
                return EXIT_FAILED
    raise AssertionError("events go on for good")


def _show(event: Event) -> None:
    match event:
        case SessionQr(data=data):
            draw(data.code)
            say(f"code {data.attempt}: scan it before {data.expires_at:%H:%M:%S} UTC")
        case SessionPairCode(data=data):
            say(f"type this on the phone before {data.expires_at:%H:%M:%S} UTC: {plain(data.code)}")
        case SessionStatus(data=data):
            detail = f": {data.detail}" if data.detail else ""
            say(plain(f"{data.state} ({data.reason}{detail})"))
    sys.stdout.flush()


def draw(code: str) -> None:
    """Draw a QR code."""
    drawing = segno.make(code, error="l", boost_error=False)
    drawing.terminal(out=sys.stdout, border=2, compact=True)
