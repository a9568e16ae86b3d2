"""`dead …`."""

from typing import Annotated

import typer

from gateway_worker.ctl.options import AsJson, Confirmed

_PRIVACY = (
    "The body is shown by `show` only: it is what the backend sent, with message text and phone"
    " numbers. Treat the output as personal data."
)

app = typer.Typer(
    help="The dead letters: commands that nobody could execute.",
    epilog=_PRIVACY,
    no_args_is_help=True,
    rich_markup_mode=None,
)

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="As `list` shows them.")]
Everything = Annotated[bool, typer.Option("--all", help="All that are there now.")]


def _which(ids: list[str] | None, *, everything: bool) -> list[str] | None:
    """Return the ids of the letters that are meant; None for all."""
    if bool(ids) == everything:
        raise typer.BadParameter("name the letters by their ids, or say --all")
    return None if everything else ids


@app.command("list")
def list_letters(
    *,
    limit: Annotated[int, typer.Option(min=1, max=60_000, metavar="N", help="At most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List them, the oldest first, without their bodies."""
    from gateway_worker.ctl import dead  # noqa: PLC0415
    from gateway_worker.ctl.operating import operate  # noqa: PLC0415

    operate(lambda settings: dead.list_letters(settings, limit=limit, json=as_json))


@app.command(epilog=_PRIVACY)
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID")], *, as_json: AsJson = False
) -> None:
    """Show one with its body, which is personal data."""
    from gateway_worker.ctl import dead  # noqa: PLC0415
    from gateway_worker.ctl.operating import operate  # noqa: PLC0415

    operate(lambda settings: dead.show_letter(settings, letter_id, json=as_json))


@app.command()
def replay(
    ids: Ids = None,
    *,
    everything: Everything = False,
    resend_uncertain: Annotated[
        bool,
        typer.Option(
            "--resend-uncertain",
            help="Execute also what ended with `uncertain`. WARNING: WhatsApp may have such a"
            " message already, so its recipient may get it TWICE. Without this its backend is only"
            " told `uncertain` once more.",
        ),
    ] = False,
    trust_controls: Annotated[
        bool,
        typer.Option(
            "--trust-controls",
            help="Replay also what says that it is a message among workers though the broker itself"
            " has moved it here. WARNING: anybody who may publish commands can have sent it; look"
            " at it with `show` first.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish them as the commands they were.

    Under their own ids. A command that has failed is executed again; its backend has been told of
    the failure, and now gets a second outcome, the one that counts. One that has succeeded is not
    executed again: its backend gets that outcome once more. A deadline that has passed stays
    passed. The database has to be there: without it nothing is published. With tenants (TENANTS)
    what no worker has verified stays: whoever sent it has to send it again.
    """
    meant = _which(ids, everything=everything)
    from gateway_worker.ctl import dead  # noqa: PLC0415
    from gateway_worker.ctl.operating import operate  # noqa: PLC0415

    operate(
        lambda settings: dead.replay(
            settings,
            meant,
            resend_uncertain=resend_uncertain,
            trusting=trust_controls,
            json=as_json,
        )
    )


@app.command()
def drop(
    ids: Ids = None,
    *,
    everything: Everything = False,
    yes: Confirmed = False,
    as_json: AsJson = False,
) -> None:
    """Remove them for good; --all needs --yes."""
    meant = _which(ids, everything=everything)
    if meant is None and not yes:
        raise typer.BadParameter("--all removes every dead letter for good: say --yes too")
    from gateway_worker.ctl import dead  # noqa: PLC0415
    from gateway_worker.ctl.operating import operate  # noqa: PLC0415

    operate(lambda settings: dead.drop(settings, meant, json=as_json))
