"""`audit`."""

from datetime import datetime
from typing import Annotated

import typer

from gateway_worker.ctl.options import AsJson, Limit

app = typer.Typer(rich_markup_mode=None)


@app.command()
def audit(
    *,
    tenant: Annotated[
        str | None, typer.Option(metavar="TENANT", help="Only those of this tenant.")
    ] = None,
    session: Annotated[
        str | None, typer.Option(metavar="ID", help="Only those for this session.")
    ] = None,
    command_type: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Only of this type, such as message.send."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only those that came then or later, RFC 3339."),
    ] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List commands: whose, for which session, of what type, with what outcome, and when.

    Without their contents, the latest first. Commands that were refused because their sender may
    not give them are in the log only.
    """
    from gateway_contracts.tenants import is_tenant  # noqa: PLC0415
    from gateway_worker.ctl.audit import list_commands  # noqa: PLC0415
    from gateway_worker.ctl.operating import operate  # noqa: PLC0415

    if tenant is not None and not is_tenant(tenant):
        raise typer.BadParameter(f"no tenant can be called {tenant!r}")
    moment = None if since is None else _moment(since)
    operate(
        lambda settings: list_commands(
            settings,
            tenant=tenant,
            session=session,
            command_type=command_type,
            since=moment,
            limit=limit,
            json=as_json,
        )
    )


def _moment(given: str) -> datetime:
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter("a time with an offset is expected: 2026-11-24T09:00:00Z")
    return moment
