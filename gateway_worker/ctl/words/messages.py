"""`send` and `request`."""

from pathlib import Path
from typing import Annotated

import typer

from gateway_worker.ctl.options import AsJson, CommandId, Seconds, Session
from gateway_worker.ctl.requesting import ask

app = typer.Typer(rich_markup_mode=None)

EXAMPLES = """\b
Examples:
  ctl send shop +15550100002 'Your order is ready.'
  ctl send shop +15550100002 'The invoice' --file invoice.pdf
  ctl send shop +15550100002 --file note.ogg --kind voice
  ctl send shop +15550100002 'When?' --kind poll -f options:='["Today","Tomorrow"]'
  ctl send shop +15550100002 👍 --kind reaction --target 3EB0…
  ctl send shop +15550100002 --kind location -f latitude:=52.5 -f longitude:=13.4
"""

Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        "-f",
        metavar="NAME=TEXT",
        help="A field; NAME:=JSON for what is no text, a.b for one within another. Repeatable.",
    ),
]


@app.command(epilog=EXAMPLES)
def send(
    context: typer.Context,
    session: Session,
    to: Annotated[
        str, typer.Argument(metavar="TO", help="A number, or the id of a person, group or channel.")
    ],
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT", help="The text, caption, question, name or emoji, as the kind has it."
        ),
    ] = None,
    *,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="By default text, or what the file's name stands for."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, readable=True, help="A file, to be uploaded."),
    ] = None,
    url: Annotated[str | None, typer.Option(help="A file that the gateway fetches.")] = None,
    mime_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="The file's, if its name does not say it.")
    ] = None,
    fields: Fields = None,
    content: Annotated[
        str | None, typer.Option(metavar="JSON", help="The whole content; @FILE reads it.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="MESSAGE_ID", help="The message that this is about.")
    ] = None,
    participant: Annotated[
        str | None, typer.Option(metavar="PERSON", help="Who wrote that message, in a group.")
    ] = None,
    reply_to: Annotated[
        str | None, typer.Option(metavar="MESSAGE_ID", help="The message that is quoted.")
    ] = None,
    ref: Annotated[str | None, typer.Option(help="Your own name of it (`client_ref`).")] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Send it then (RFC 3339).")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until it was sent, not only scheduled.")] = False,
    command_id: CommandId = None,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Send a message of any kind, files uploaded."""
    from gateway_worker.ctl.sending import Draft, send_draft  # noqa: PLC0415

    draft = Draft(
        session=session,
        to=to,
        text=text,
        kind=kind,
        file=file,
        url=url,
        mime_type=mime_type,
        fields=tuple(fields or ()),
        content=content,
        target=target,
        participant=participant,
        reply_to=reply_to,
        client_ref=ref,
        scheduled_at=at,
        command_id=command_id,
    )
    send_draft(context, draft, waits=wait, seconds=seconds, as_json=as_json)


@app.command()
def request(
    context: typer.Context,
    session: Annotated[
        str, typer.Argument(metavar="SESSION", help="The session's id; _fleet for none.")
    ],
    command_type: Annotated[
        str, typer.Argument(metavar="TYPE", help="Such as contact.check, or wa.contact.check.v1.")
    ],
    *,
    fields: Fields = None,
    data: Annotated[
        str, typer.Option(metavar="JSON", help="The command's data; @FILE reads it.")
    ] = "{}",
    command_id: CommandId = None,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Send any command of the contract and show its result."""
    from gateway_worker.ctl.building import json_of, with_fields  # noqa: PLC0415

    ask(
        context,
        command_type,
        session,
        with_fields(json_of(data), fields or []),
        seconds=seconds,
        as_json=as_json,
        command_id=command_id,
    )
