"""The lines that a newcomer can paste while a local gateway runs. A test runs each of them."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway_worker.devkit.gateway.addresses import Addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One thing to try.

    Attributes:
        about: What it does.
        line: To be pasted into a shell in the checkout.
    """

    about: str
    line: str


def instructions(*, data: Path, session: str, phone: str, contact: str) -> list[Instruction]:
    """Return a conversation, step by step.

    Args:
        data: Where the gateway's addresses are published.
        session: Name of a session that does not exist yet.
        phone: Number of the phone that is to be linked to it: digits.
        contact: Number of the phone that it writes to.
    """
    where = "" if data == Path(".data").resolve() else f" --data {shlex.quote(str(data))}"
    talk, ctl = f"./dev talk{where}", f"./dev ctl{where}"
    create = {"type": "wa.session.create.v1", "subject": session}
    content = {"kind": "text", "text": "Your order is ready."}
    send = {
        "type": "wa.message.send.v1",
        "subject": session,
        "data": {"to": f"+{contact}", "content": content},
    }
    steps = {
        "read the events, in a terminal of its own: it goes on until Ctrl-C": "events",
        "publish a command: create a session, whose QR code comes as an event": (
            f"publish {shlex.quote(json.dumps(create))}"
        ),
        "scan its QR code with a phone": f"scan {session} {phone}",
        "publish a command: send a text": f"publish {shlex.quote(json.dumps(send))}",
        "see what the other phone has got": f"inbox {contact}",
        "send a text as that phone; it comes as an event": f"say {contact} {phone} 'Are you open?'",
    }
    by_hand = {
        "the same as an operator does it: send a text": (
            f"send {session} +{contact} 'Your order is on its way.'"
        ),
        "and see what comes back, in a terminal of its own; write as that phone once more": (
            f"tail --session {session} --text"
        ),
    }
    return [
        *(Instruction(about=about, line=f"{talk} {words}") for about, words in steps.items()),
        *(Instruction(about=about, line=f"{ctl} {words}") for about, words in by_hand.items()),
    ]


def described(
    addresses: Addresses, phones: Mapping[str, str], steps: Sequence[Instruction]
) -> list[str]:
    """Return all of it as lines for a terminal."""
    lines = [
        f"RabbitMQ     {addresses.amqp_url}",
        "             publish to the exchange wa.commands, bind your queue to wa.events",
        f"control URL  {addresses.control_url}",
        "             phones over HTTP; python -m pydoc gateway_worker.sandbox lists the routes",
        *(f"phone        {number}  {name}" for number, name in phones.items()),
        "",
    ]
    for step in steps:
        lines += [f"# {step.about}", step.line]
    return lines
