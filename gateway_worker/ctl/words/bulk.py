"""`bulk …`."""

from pathlib import Path
from typing import Annotated

import typer

from gateway_worker.ctl.options import AsJson, CommandId, Seconds, Session
from gateway_worker.ctl.requesting import ask

app = typer.Typer(
    help="Send to many: create, status, pause, resume, cancel.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

BulkId = Annotated[str, typer.Argument(metavar="BULK", help="The id of its create.")]


@app.command()
def create(
    context: typer.Context,
    session: Session,
    rows: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Who gets it: .csv with a column `to`, perhaps `client_ref`, and variables; or"
            " .jsonl.",
        ),
    ],
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="With {{name}} for a row's variable.")
    ] = None,
    *,
    content: Annotated[
        str | None, typer.Option(metavar="JSON", help="A content of any kind; @FILE reads it.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what is wrong with the rows.")
    ] = False,
    check_contacts: Annotated[
        bool, typer.Option("--check-contacts", help="Do not write to whom WhatsApp does not know.")
    ] = False,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Begin then (RFC 3339).")] = None,
    wait: Annotated[bool, typer.Option(help="Follow it to its end.")] = True,
    command_id: CommandId = None,
    seconds: Seconds = 120,
    as_json: AsJson = False,
) -> None:
    """Send to everybody whom a file names.

    Follows it to its end, and ends with 1 if a row was not sent, with 5 if of one nobody knows.
    Ctrl-C ends the following, not the bulk. --timeout is for its beginning.
    """
    from gateway_worker.ctl.bulks import Mailing, create_bulk  # noqa: PLC0415

    mailing = Mailing(
        session=session,
        rows=rows,
        text=text,
        content=content,
        dry_run=dry_run,
        check_contacts=check_contacts,
        scheduled_at=at,
        command_id=command_id,
    )
    create_bulk(context, mailing, waits=wait and not dry_run, seconds=seconds, as_json=as_json)


@app.command()
def follow(
    context: typer.Context, session: Session, bulk: BulkId, *, as_json: AsJson = False
) -> None:
    """Follow a bulk to its end."""
    from gateway_worker.ctl.bulks import follow_bulk  # noqa: PLC0415

    follow_bulk(context, session, bulk, as_json=as_json)


def _about(action: str, text: str) -> None:
    """Add a word that is a command about a bulk and nothing more."""

    def word(
        context: typer.Context,
        session: Session,
        bulk: BulkId,
        *,
        seconds: Seconds = 30,
        as_json: AsJson = False,
    ) -> None:
        data = {"bulk_id": bulk}
        ask(context, f"bulk.{action}", session, data, seconds=seconds, as_json=as_json)

    app.command(action, help=text)(word)


_about("status", "Tell how far a bulk has come.")
_about("pause", "Let no row begin.")
_about("resume", "Go on with a bulk that is paused.")
_about("cancel", "Let no row begin any more.")
