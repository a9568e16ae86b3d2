"""`history`, `tail` and `top`."""

from typing import Annotated

import typer

from gateway_worker.ctl.options import AsJson, Limit, Seconds, Session, WithText, finite

app = typer.Typer(rich_markup_mode=None)


@app.command()
def history(
    context: typer.Context,
    session: Session,
    *,
    chat: Annotated[
        str | None, typer.Option(metavar="CHAT", help="Only of this chat: an id or a number.")
    ] = None,
    direction: Annotated[
        str | None, typer.Option(metavar="in|out", help="Only what came, or what went.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Only of this kind; repeatable.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339.")] = None,
    oldest: Annotated[bool, typer.Option("--oldest", help="The oldest first.")] = False,
    text: WithText = False,
    limit: Limit = 50,
    seconds: Seconds = 30,
    as_json: AsJson = False,
) -> None:
    """Read a session's stored messages."""
    from gateway_worker.ctl.asking import Question, show_pages  # noqa: PLC0415
    from gateway_worker.ctl.showing import message_row, without_personal  # noqa: PLC0415

    data = {
        "chat": chat,
        "direction": direction,
        "kinds": kind or [],
        "since": since,
        "until": until,
        "order": "oldest" if oldest else "newest",
    }
    question = Question(type="message.history", session=session, data=data, seconds=seconds)
    show_pages(
        context,
        question,
        "messages",
        limit=limit,
        prepare=(lambda item: item) if text else without_personal,
        row=message_row,
        none="there are no such messages",
        as_json=as_json,
    )


@app.command()
def tail(
    context: typer.Context,
    *,
    session: Annotated[
        list[str] | None, typer.Option(metavar="SESSION", help="Only of this one; repeatable.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--type", metavar="TYPE", help="Only message.received, or message; repeatable."
        ),
    ] = None,
    text: WithText = False,
    count: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="End after so many.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--timeout", callback=finite, metavar="SECONDS", help="End after so long."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show events as they come, without what people wrote.

    Goes on until Ctrl-C. With --json an event is a line, as the contract has it; without --text
    what is personal in it (texts, names, numbers, codes) is left out.
    """
    from gateway_worker.ctl.following import Tail, follow  # noqa: PLC0415

    follow(
        context,
        Tail(
            sessions=tuple(session or ()),
            types=tuple(kind or ()),
            with_text=text,
            count=count,
            seconds=seconds,
            as_json=as_json,
        ),
    )


@app.command()
def top(
    context: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    seconds: Annotated[
        float,
        typer.Option(
            "--for",
            min=0.1,
            callback=finite,
            metavar="SECONDS",
            help="With --once: how long to listen.",
        ),
    ] = 12,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Watch workers and sessions.

    Workers tell of themselves every few seconds; the sessions shown are those that are not
    connected, then others. --json shows it once.
    """
    from gateway_worker.ctl.watching import watch  # noqa: PLC0415

    watch(context, once=once or as_json, seconds=seconds, limit=limit, as_json=as_json)
