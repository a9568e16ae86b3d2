"""Shows events as they come."""

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NoReturn

import typer

from gateway_contracts.client import GatewayClient, ReceivedEvent
from gateway_worker.ctl.output import complain, say
from gateway_worker.ctl.showing import Item, event_line, without_personal
from gateway_worker.ctl.speaking import speak

_HEARTBEATS: Final = "worker.heartbeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """What is wanted.

    Attributes:
        sessions: Of these; none means all.
        types: Such as `message.received`, or `message`; none means all but heartbeats.
        with_text: Whether what is personal is shown.
        count: How many, then it ends.
        seconds: How long, then it ends.
        as_json: Whether events are printed as JSON lines.
    """

    sessions: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    with_text: bool = False
    count: int | None = None
    seconds: float | None = None
    as_json: bool = False

    @property
    def heartbeats(self) -> bool:
        """Whether heartbeats are wanted; they have to be named."""
        return any(one == _HEARTBEATS for one in self.types)

    def patterns(self) -> tuple[str, ...]:
        """Return the topic patterns of what is wanted; a tenant's session has two words."""
        kinds = [one if "." in one else f"{one}.*" for one in self.types] or ["*.*"]
        return tuple(f"{kind}.{session}" for kind in kinds for session in self.sessions or ("#",))

    def wants(self, received: ReceivedEvent) -> bool:
        """Whether an event is one of those; a queue may have others."""
        event = received.event
        kind = event.type.removeprefix("wa.").rpartition(".")[0]
        is_kind = not self.types or any(
            kind == one or kind.startswith(f"{one}.") for one in self.types
        )
        return is_kind and (not self.sessions or event.subject in self.sessions)

    def line(self, received: ReceivedEvent) -> str:
        """Return an event as it is printed."""
        event: Item = json.loads(received.body)
        if not self.with_text and isinstance(event.get("data"), dict):
            event["data"] = without_personal(event["data"])
        return json.dumps(event, ensure_ascii=False) if self.as_json else event_line(event)


def follow(context: typer.Context, tail: Tail) -> NoReturn:
    """Print events until that is enough, and end the program."""

    async def work(client: GatewayClient) -> int:
        complain("reading events, until Ctrl-C" if tail.count is None else "reading events")
        with suppress(TimeoutError):
            async with asyncio.timeout(tail.seconds):
                await _print(client, tail)
        return 0

    speak(context, work, patterns=tail.patterns(), heartbeats=tail.heartbeats, reads_events=True)


async def _print(client: GatewayClient, tail: Tail) -> None:
    shown = 0
    async for received in client.events():
        if not tail.wants(received):
            continue
        say(tail.line(received))
        sys.stdout.flush()
        shown += 1
        if shown == tail.count:
            return
