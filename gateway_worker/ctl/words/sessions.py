"""`create`, `sessions`, `status`, `logout`, `delete`, `migrate`, `drain`."""

from typing import Annotated

import typer

from gateway_worker.ctl.options import (
    AsJson,
    CommandId,
    Confirmed,
    Limit,
    Seconds,
    Session,
    confirm,
)
from gateway_worker.ctl.requesting import ask

app = typer.Typer(rich_markup_mode=None)


@app.command()
def create(
    context: typer.Context,
    session: Session,
    *,
    phone: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Link by a code typed on this phone.")
    ] = None,
    device_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the phone's list of devices shows.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A label; may be repeated.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Follow it until it is connected.")] = True,
    seconds: Seconds = 180,
    as_json: AsJson = False,
) -> None:
    """Link an account: shows its QR code until connected.

    Ends with 0 when the session is connected, and with 1 when it will not be. With --json each code
    and each change of its state is a line.
    """
    from gateway_worker.ctl.building import labels_of  # noqa: PLC0415
    from gateway_worker.ctl.linking import Linking, link  # noqa: PLC0415

    data: dict[str, object] = {"labels": labels_of(label or [])}
    if phone is not None:
        data["pairing"] = {"method": "code", "phone_number": phone}
    if device_name is not None:
        data["device_name"] = device_name
    link(context, Linking(session=session, data=data, wait=wait, seconds=seconds, as_json=as_json))


@app.command()
def sessions(
    context: typer.Context,
    *,
    state: Annotated[
        list[str] | None, typer.Option(metavar="STATE", help="Only in this state; repeatable.")
    ] = None,
    worker: Annotated[str | None, typer.Option(metavar="ID", help="Only this worker's.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Only with this label.")
    ] = None,
    limit: Limit = 1000,
    seconds: Seconds = 30,
    as_json: AsJson = False,
) -> None:
    """List the sessions of the fleet."""
    from gateway_worker.ctl.asking import Question, show_pages  # noqa: PLC0415
    from gateway_worker.ctl.building import labels_of  # noqa: PLC0415
    from gateway_worker.ctl.showing import session_row  # noqa: PLC0415
    from gateway_worker.ctl.speaking import fleet_of  # noqa: PLC0415

    data = {"states": state or [], "labels": labels_of(label or []), "worker": worker}
    question = Question(type="session.list", session=fleet_of(context), data=data, seconds=seconds)
    show_pages(
        context,
        question,
        "sessions",
        limit=limit,
        row=session_row,
        none="there are no such sessions",
        as_json=as_json,
    )


@app.command()
def status(
    context: typer.Context, session: Session, *, seconds: Seconds = 30, as_json: AsJson = False
) -> None:
    """Tell how a session is."""
    ask(context, "session.get_status", session, seconds=seconds, as_json=as_json)


@app.command()
def logout(
    context: typer.Context,
    session: Session,
    *,
    yes: Confirmed = False,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Unlink a session's device from its account."""
    confirm(f"Unlink {session}? It needs a new QR code afterwards.", yes=yes)
    ask(context, "session.logout", session, seconds=seconds, as_json=as_json)


@app.command()
def delete(
    context: typer.Context,
    session: Session,
    *,
    yes: Confirmed = False,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Forget a session, with every trace."""
    confirm(f"Delete {session}, with its messages and its link to the account?", yes=yes)
    ask(context, "session.delete", session, seconds=seconds, as_json=as_json)


@app.command()
def migrate(
    context: typer.Context,
    session: Session,
    *,
    to: Annotated[
        str | None, typer.Option(metavar="WORKER", help="Which; by default one with room.")
    ] = None,
    command_id: CommandId = None,
    seconds: Seconds = 120,
    as_json: AsJson = False,
) -> None:
    """Move a session to another worker."""
    ask(
        context,
        "session.migrate",
        session,
        {"to": to},
        seconds=seconds,
        as_json=as_json,
        command_id=command_id,
    )


@app.command()
def drain(
    context: typer.Context,
    worker: Annotated[str, typer.Argument(metavar="WORKER", help="The worker's id.")],
    *,
    seconds: Seconds = 120,
    as_json: AsJson = False,
) -> None:
    """Move every session of a worker to others.

    One after the other, with its device. The worker goes on and may be given new sessions: stop it
    afterwards. A worker that is told to stop hands its sessions over by itself; this is for one
    that is to be emptied without haste.
    """
    from gateway_worker.ctl.draining import drain_worker  # noqa: PLC0415

    drain_worker(context, worker, seconds=seconds, as_json=as_json)
