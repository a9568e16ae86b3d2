"""Options and arguments that several words have."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the broker is, and as whom to speak.

    Attributes:
        amqp_url: With credentials; empty if nobody has said it.
        prefix: What all names begin with.
        service: Whose queues are read; None for one that goes with the connection.
        tenant: Whose sessions the fleet is asked for; None for all.
        token_file: Has the token (JWT) that goes with commands, if they need one.
    """

    amqp_url: str = field(repr=False)
    prefix: str = "wa"
    service: str | None = None
    tenant: str | None = None
    token_file: Path | None = None


def finite(seconds: float | None) -> float | None:
    """Return a number of seconds; what is none, or never passes, is a wrong argument."""
    if seconds is not None and not math.isfinite(seconds):
        raise typer.BadParameter("a number of seconds is expected")
    return seconds


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Seconds = Annotated[
    float,
    typer.Option(
        "--timeout", min=0.1, callback=finite, metavar="SECONDS", help="How long to wait."
    ),
]
CommandId = Annotated[
    str | None,
    typer.Option("--id", metavar="ID", help="The command's id: the same one is done once only."),
]
Confirmed = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Limit = Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")]
Session = Annotated[str, typer.Argument(metavar="SESSION", help="The session's id.")]
Group = Annotated[str, typer.Argument(metavar="GROUP", help="Its id: digits and @g.us.")]
Members = Annotated[list[str], typer.Argument(metavar="PERSON", help="Numbers, or WhatsApp ids.")]
Person = Annotated[str, typer.Argument(metavar="PERSON", help="A number, or a WhatsApp id.")]
WithText = Annotated[
    bool, typer.Option("--text", help="Show what people wrote, names and numbers, too.")
]


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if somebody has said yes.

    Raises:
        typer.Abort: Somebody has said no, or nobody can be asked.
    """
    if not yes:
        typer.confirm(question, abort=True, err=True)
