"""`./dev talk`: a backend and some phones by hand, for the gateway that runs here."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    QrInfo,
    SessionGetQr,
    WorkerHeartbeat,
)
from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.gateway.addresses import Addresses
from gateway_worker.devkit.received import ReceivedEvent
from gateway_worker.devkit.services.errors import ServicesError
from gateway_worker.sandbox.control.client import ControlError, SandboxClient
from gateway_worker.sandbox.control.models import Poll

Act = Callable[[Addresses, argparse.Namespace], Coroutine[Any, Any, bool]]

_INBOX_SECONDS: Final = 5.0
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one thing; return 0 if it was done."""
    options = _parser().parse_args(arguments)
    act: Act = options.act
    try:
        done = asyncio.run(act(Addresses.published_in(options.data), options))
    except (ServicesError, ControlError, ValueError, TimeoutError) as error:
        print(f"talk: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0 if done else 1


async def _events(addresses: Addresses, options: argparse.Namespace) -> bool:
    """Print events as they come, one JSON line each."""
    enough = asyncio.Event()
    shown = 0

    def show(arrival: ReceivedEvent) -> None:
        nonlocal shown
        is_wanted = options.session in {None, arrival.event.subject}
        if is_wanted and not isinstance(arrival.event, WorkerHeartbeat) and not enough.is_set():
            print(arrival.body.decode(), flush=True)
            shown += 1
            if shown == options.count:
                enough.set()

    async with Backend.open(addresses.amqp_url, name="talk") as backend:
        backend.on_arrival(show)
        print("talk: reading events, until Ctrl-C", file=sys.stderr, flush=True)
        await enough.wait()
    return True


async def _url(addresses: Addresses, _options: argparse.Namespace) -> bool:
    """Print the broker's URL, for a backend of your own."""
    print(addresses.amqp_url)
    return True


async def _publish(addresses: Addresses, options: argparse.Namespace) -> bool:
    """Publish a command and print its outcome."""
    command = json.loads(options.command)
    if not isinstance(command, dict):
        raise ValueError("a command is a JSON object")  # noqa: TRY004 - for the person who typed it
    usual = json.loads(SessionGetQr(source="/backends/talk", subject="any").model_dump_json())
    command = {name: usual[name] for name in ("specversion", "id", "source", "time")} | command
    async with Backend.open(addresses.amqp_url, name="talk") as backend:
        await backend.publish_raw(
            json.dumps(command).encode(),
            session_id=str(command.get("subject", "")),
            message_id=str(command["id"]),
            kind=str(command.get("type", "")),
        )
        outcome = await backend.outcome(str(command["id"]))
    print(outcome.model_dump_json())
    return isinstance(outcome, CommandSucceeded)


async def _scan(addresses: Addresses, options: argparse.Namespace) -> bool:
    """Have a phone scan the QR code that a session shows now."""
    async with (
        Backend.open(addresses.amqp_url, name="talk") as backend,
        phones(addresses) as sandbox,
    ):
        qr = await shown_code(backend, options.session)
        linked = await sandbox.scan(options.phone, qr)
    print(linked.model_dump_json())
    return True


async def _say(addresses: Addresses, options: argparse.Namespace) -> bool:
    """Send a text as a phone; prints the message's id."""
    async with phones(addresses) as sandbox:
        message_id = await sandbox.send_text(
            _digits(options.phone), _digits(options.to), options.text
        )
    print(json.dumps({"message_id": message_id}))
    return True


async def _inbox(addresses: Addresses, options: argparse.Namespace) -> bool:
    """Print what a phone has got, one JSON line each; waits a while for the first."""
    poll = Poll(timeout_seconds=_INBOX_SECONDS)
    async with phones(addresses) as sandbox:
        for message in (await sandbox.inbox(_digits(options.phone), poll)).items:
            print(message.model_dump_json())
    return True


def phones(addresses: Addresses) -> AbstractAsyncContextManager[SandboxClient]:
    """Return a client of the sandbox, to be entered with `async with`."""
    return SandboxClient.connect(url=addresses.control_url, token=addresses.control_token)


async def shown_code(backend: Backend, session: str) -> str:
    """Return the QR code that a session shows, as soon as it shows one.

    Raises:
        ValueError: It shows none; the message says why.
    """
    outcome = await backend.request(SessionGetQr(source=backend.source, subject=session))
    if isinstance(outcome, CommandSucceeded) and isinstance(outcome.data.result, QrInfo):
        return outcome.data.result.code
    why = outcome.data.error.detail if isinstance(outcome, CommandFailed) else "another answer"
    raise ValueError(f"session {session} shows no QR code: {why}")


def _digits(number: str) -> str:
    return number.removeprefix("+")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev talk",
        description="A backend and some phones by hand, for the gateway that `./dev run --sandbox`"
        " or `./dev demo --keep` has started.",
    )
    parser.add_argument("--data", type=Path, default=Path(".data"), metavar="DIRECTORY")
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, act: Act, *arguments: tuple[str, str]) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=act.__doc__, description=act.__doc__)
        for argument, text in arguments:
            added.add_argument(argument, help=text)
        added.set_defaults(act=act)
        return added

    number = "digits, with the country code"
    events = command("events", _events)
    events.add_argument("--session", help="only those of one session")
    events.add_argument("--count", type=int, help="leave after so many")
    command("url", _url)
    command("publish", _publish, ("command", "JSON; what an envelope has always is filled in"))
    command("scan", _scan, ("session", "its id"), ("phone", number))
    command("say", _say, ("phone", number), ("to", number), ("text", "what to write"))
    command("inbox", _inbox, ("phone", number))
    return parser


if __name__ == "__main__":
    sys.exit(main())
