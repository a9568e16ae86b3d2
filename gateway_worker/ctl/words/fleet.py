"""`fleet …`."""

from typing import Annotated

import typer

from gateway_worker.ctl.options import AsJson, Limit

app = typer.Typer(
    help="Workers and sessions as the database has them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def sessions(
    *,
    worker: Annotated[str | None, typer.Option(metavar="ID", help="Only those of it.")] = None,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="Only in this state; `unattended`: without a worker."),
    ] = None,
    limit: Limit = 1000,
    as_json: AsJson = False,
) -> None:
    """List the sessions and their owners."""
    from gateway_contracts import SessionState  # noqa: PLC0415
    from gateway_worker.ctl import fleet  # noqa: PLC0415
    from gateway_worker.ctl.operating import operate  # noqa: PLC0415
    from gateway_worker.storage.db.overview import UNATTENDED  # noqa: PLC0415

    states = [*SessionState, UNATTENDED]
    if state is not None and state not in states:
        raise typer.BadParameter(f"there is no state {state!r}; there are {', '.join(states)}")
    operate(
        lambda settings: fleet.list_sessions(
            settings, worker=worker, state=state, limit=limit, json=as_json
        )
    )


@app.command()
def workers(*, as_json: AsJson = False) -> None:
    """List the workers, their leases and their load."""
    from gateway_worker.ctl import fleet  # noqa: PLC0415
    from gateway_worker.ctl.operating import operate  # noqa: PLC0415

    operate(lambda settings: fleet.list_workers(settings, json=as_json))
