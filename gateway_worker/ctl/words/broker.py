"""`broker …`."""

from typing import Annotated

import typer

from gateway_worker.ctl.options import AsJson

app = typer.Typer(
    help="The backends' part of the broker.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("add-backend")
def add_backend(
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 64 letters, digits, - or _")],
    *,
    events: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="A topic pattern of the events it wants, repeatable (default: all).",
        ),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(
            metavar="TENANT",
            help="In a fleet with tenants: whose service it is; NAME is the tenant's, alone or with"
            " _ and one more word behind it. It gets no other's events; patterns have three words.",
        ),
    ] = None,
    unordered: Annotated[
        bool,
        typer.Option(
            "--unordered", help="Let several consumers read its events at once; they keep no order."
        ),
    ] = False,
    refuse_when_full: Annotated[
        bool,
        typer.Option(
            "--refuse-when-full",
            help="Have its full queue refuse events, which holds up those of every backend.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the queues and bindings of a backend service.

    The queues of events, heartbeats, replays and dead letters, by AMQP_OPERATOR_URL, or AMQP_URL if
    that user may. What is there already stays; run it again for further patterns. Prints how to
    make the user with whose rights the backend then logs in.
    """
    from gateway_contracts import BackendTopology  # noqa: PLC0415
    from gateway_worker.ctl.backends import add  # noqa: PLC0415
    from gateway_worker.ctl.operating import operate  # noqa: PLC0415

    try:
        wanted = BackendTopology(
            service=name,
            events=tuple(events or ()),
            tenant=tenant,
            ordered=not unordered,
            refuses_when_full=refuse_when_full,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    operate(lambda settings: add(settings, wanted, json=as_json))
