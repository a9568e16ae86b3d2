"""`group …`."""

from pathlib import Path
from typing import Annotated

import typer

from gateway_worker.ctl.options import (
    AsJson,
    CommandId,
    Confirmed,
    Group,
    Limit,
    Members,
    Seconds,
    Session,
    confirm,
)
from gateway_worker.ctl.requesting import ask

app = typer.Typer(
    help="Make, look at and change groups.", no_args_is_help=True, rich_markup_mode=None
)

Link = Annotated[str, typer.Argument(metavar="LINK", help="https://chat.whatsapp.com/…")]


@app.command("list")
def list_groups(
    context: typer.Context,
    session: Session,
    *,
    limit: Limit = 200,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """List the groups that the account is in."""
    from gateway_worker.ctl.asking import Question, show_pages  # noqa: PLC0415

    question = Question(type="group.list", session=session, seconds=seconds)
    show_pages(
        context, question, "groups", limit=limit, none="there are no groups", as_json=as_json
    )


@app.command()
def info(
    context: typer.Context,
    session: Session,
    group: Group,
    *,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Show a group and its members."""
    ask(context, "group.info", session, {"group": group}, seconds=seconds, as_json=as_json)


@app.command()
def create(
    context: typer.Context,
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    members: Annotated[
        list[str] | None, typer.Argument(metavar="PERSON", help="Who is in it.")
    ] = None,
    *,
    community: Annotated[
        str | None, typer.Option(metavar="GROUP", help="The community that it is to belong to.")
    ] = None,
    is_community: Annotated[bool, typer.Option("--is-community", help="Make a community.")] = False,
    command_id: CommandId = None,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Make a group."""
    data = {
        "name": name,
        "members": members or [],
        "community": community,
        "is_community": is_community,
    }
    ask(
        context,
        "group.create",
        session,
        data,
        seconds=seconds,
        as_json=as_json,
        command_id=command_id,
    )


def _members(change: str, text: str) -> None:
    """Add a word that changes who is in a group, or who are its admins."""

    def word(
        context: typer.Context,
        session: Session,
        group: Group,
        members: Members,
        *,
        seconds: Seconds = 60,
        as_json: AsJson = False,
    ) -> None:
        data = {"group": group, "change": change, "members": members}
        ask(context, "group.members", session, data, seconds=seconds, as_json=as_json)

    app.command(change, help=text)(word)


_members("add", "Add people to a group.")
_members("remove", "Remove people from a group.")
_members("promote", "Make members admins.")
_members("demote", "Make admins members.")


@app.command("set")
def change(
    context: typer.Context,
    session: Session,
    group: Group,
    *,
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is about.")] = None,
    photo: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Its picture: a file.")
    ] = None,
    announce: Annotated[
        bool | None, typer.Option("--announce/--no-announce", help="Only admins may write.")
    ] = None,
    locked: Annotated[
        bool | None, typer.Option("--locked/--no-locked", help="Only admins may change it.")
    ] = None,
    timer: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="Messages disappear then; 0: never.")
    ] = None,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Change one thing about a group."""
    wanted: dict[str, dict[str, object]] = {
        "name": {"name": name},
        "description": {"description": description},
        "announce": {"only_admins": announce},
        "locked": {"only_admins": locked},
        "timer": {"seconds": timer},
        "photo": {"file": photo},
    }
    given = [(what, data) for what, data in wanted.items() if None not in data.values()]
    if len(given) != 1:
        raise typer.BadParameter("say one thing that is to change")
    ((what, data),) = given
    if photo is not None:
        from gateway_worker.ctl.sending import set_photo  # noqa: PLC0415

        set_photo(context, session, group, photo, seconds=seconds, as_json=as_json)
    body = {"group": group, "change": {"what": what, **data}}
    ask(context, "group.set", session, body, seconds=seconds, as_json=as_json)


@app.command()
def link(
    context: typer.Context,
    session: Session,
    group: Group,
    *,
    revoke: Annotated[bool, typer.Option("--revoke", help="Make a new one.")] = False,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Show the link by which everybody can enter."""
    data: dict[str, object] = {"group": group, "revoke": revoke}
    ask(context, "group.invite_link", session, data, seconds=seconds, as_json=as_json)


@app.command()
def preview(
    context: typer.Context,
    session: Session,
    link: Link,
    *,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Show what a group is that a link leads to."""
    data: dict[str, object] = {"by": {"method": "link", "link": link}}
    ask(context, "group.preview", session, data, seconds=seconds, as_json=as_json)


@app.command()
def join(
    context: typer.Context,
    session: Session,
    link: Link,
    *,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Enter a group by its link."""
    ask(context, "group.join", session, {"link": link}, seconds=seconds, as_json=as_json)


@app.command()
def accept(
    context: typer.Context,
    session: Session,
    group: Group,
    inviter: Annotated[str, typer.Argument(metavar="PERSON", help="Who has sent it.")],
    code: Annotated[str, typer.Argument(metavar="CODE")],
    *,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Enter a group by an invitation that has come."""
    data: dict[str, object] = {"group": group, "inviter": inviter, "code": code}
    ask(context, "group.accept_invite", session, data, seconds=seconds, as_json=as_json)


@app.command()
def leave(
    context: typer.Context,
    session: Session,
    group: Group,
    *,
    yes: Confirmed = False,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Leave a group."""
    confirm(f"Leave {group}?", yes=yes)
    ask(context, "group.leave", session, {"group": group}, seconds=seconds, as_json=as_json)


@app.command()
def requests(
    context: typer.Context,
    session: Session,
    group: Group,
    *,
    limit: Limit = 200,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """List who has asked to enter."""
    from gateway_worker.ctl.asking import Question, show_pages  # noqa: PLC0415

    question = Question(
        type="group.requests", session=session, data={"group": group}, seconds=seconds
    )
    show_pages(context, question, "requests", limit=limit, none="nobody has asked", as_json=as_json)
